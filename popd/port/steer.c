#include "popd/port/steer.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/wire/ipv6.h"

/* Knuth's multiplicative hash: 2^32 over the golden ratio. The upper half of the product is well
 * mixed. */
enum { MULTIPLIER = (int32_t)0x9e3779b1, UPPER_HALF = 16 };

enum { IPV4_AT_SOURCE = 12, DISCARD_MAX = 65536 };

#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

/* Returns the program's fd, or -1. The queue is the program's result modulo the number of queues. A
 * packet too short to have a destination ends the program with 0. */
static int load_program(void)
{
	const struct bpf_insn program[] = {
		/* loads are relative to the packet in r6 */
		INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0),
		INSN(BPF_LD | BPF_ABS | BPF_W, 0, 0, 0, IPV6_AT_DESTINATION),
		INSN(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_7, BPF_REG_0, 0, 0),
		INSN(BPF_ALU | BPF_MUL | BPF_K, BPF_REG_7, 0, 0, MULTIPLIER),
		INSN(BPF_LD | BPF_ABS | BPF_W, 0, 0, 0, IPV6_AT_DESTINATION + 4),
		INSN(BPF_ALU | BPF_XOR | BPF_X, BPF_REG_0, BPF_REG_7, 0, 0),
		INSN(BPF_ALU | BPF_MUL | BPF_K, BPF_REG_0, 0, 0, MULTIPLIER),
		INSN(BPF_ALU | BPF_RSH | BPF_K, BPF_REG_0, 0, 0, UPPER_HALF),
		INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
	};
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uint64_t)(uintptr_t)program;
	attr.insn_cnt = ARRAY_LEN(program);
	attr.license = (uint64_t)(uintptr_t) "Dual BSD/GPL";
	memcpy(attr.prog_name, "tunnel_to_queue", sizeof("tunnel_to_queue"));
	return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
}

int steer_tun(int tun_fd)
{
	int program = load_program();

	if (program < 0)
		return -ERR_SYS;
	int err = ioctl(tun_fd, TUNSETSTEERINGEBPF, &program) == 0 ? 0 : -ERR_SYS;
	int saved = errno;
	close(program); /* the device holds it */
	errno = saved;
	return err;
}

void steer_tun_off(int tun_fd)
{
	int none = -1;

	(void)ioctl(tun_fd, TUNSETSTEERINGEBPF, &none);
}

/* Discards what a raw socket received before it had the filter: it may be another worker's. */
static void discard_received(int fd)
{
	char byte;

	for (int i = 0; i < DISCARD_MAX && recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0; i++)
		;
}

int steer_raw41(int fd, unsigned share, unsigned shares)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, IPV4_AT_SOURCE),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, (uint32_t)MULTIPLIER),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, UPPER_HALF),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, shares),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, share, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(filter), .filter = filter };

	if (shares < 2)
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
		return -ERR_SYS;
	discard_received(fd);
	return 0;
}
