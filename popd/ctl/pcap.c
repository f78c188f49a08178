#include "popd/ctl/pcap.h"

#include <string.h>

#include "lib/wire/be.h"
#include "lib/wire/csum.h"
#include "lib/wire/ipv4.h"

enum { SNAP = 65535, UDP_HEADER = 8, HEADERS_MAX = IPV4_HEADER + UDP_HEADER, IPV4_LEN_MAX = 65535 };

/* The file's structures, in the byte order of the machine that writes them. */
struct file_head {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, snap, linktype;
};
_Static_assert(sizeof(struct file_head) == 24, "as the file has it");
struct packet_head {
	uint32_t seconds, microseconds, len, orig_len;
};
_Static_assert(sizeof(struct packet_head) == 16, "as the file has it");

void pcap_begin(FILE *f, uint32_t linktype)
{
	struct file_head h = {
		.magic = 0xa1b2c3d4, .major = 2, .minor = 4, .snap = SNAP, .linktype = linktype
	};

	fwrite(&h, sizeof(h), 1, f);
}

static void packet_head(FILE *f, int64_t wall_us, size_t len, size_t orig_len)
{
	struct packet_head h = {
		.seconds = (uint32_t)(wall_us / 1000000),
		.microseconds = (uint32_t)(wall_us % 1000000),
		.len = (uint32_t)len,
		.orig_len = (uint32_t)orig_len,
	};

	fwrite(&h, sizeof(h), 1, f);
}

void pcap_inner(FILE *f, int64_t wall_us, const uint8_t *data, size_t len, size_t orig_len)
{
	packet_head(f, wall_us, len, orig_len);
	fwrite(data, 1, len, f);
}

static void write_ipv4(uint8_t h[static IPV4_HEADER], const struct pcap_outer *o, size_t total)
{
	memset(h, 0, IPV4_HEADER);
	h[0] = 0x45;
	h[1] = o->tos;
	be16_store(h + 2, (uint16_t)total);
	h[6] = o->dont_fragment ? 0x40 : 0;
	h[8] = 64;
	h[9] = o->protocol;
	be32_store(h + 12, o->from.addr.v);
	be32_store(h + 16, o->to.addr.v);
	be16_store(h + 10, csum_fold(csum_add(0, h, IPV4_HEADER)));
}

/* A truncated packet gets no checksum (0), which IPv4 allows. */
static void write_udp(uint8_t h[static UDP_HEADER], const struct pcap_outer *o, const uint8_t *data,
		      size_t len, size_t orig_len)
{
	uint8_t pseudo[12] = { 0 };

	be16_store(h, o->from.port);
	be16_store(h + 2, o->to.port);
	be16_store(h + 4, (uint16_t)(UDP_HEADER + orig_len));
	be16_store(h + 6, 0);
	if (len != orig_len)
		return;
	be32_store(pseudo, o->from.addr.v);
	be32_store(pseudo + 4, o->to.addr.v);
	pseudo[9] = IPV4_PROTOCOL_UDP;
	be16_store(pseudo + 10, (uint16_t)(UDP_HEADER + orig_len));
	uint16_t sum = csum_fold(
		csum_add(csum_add(csum_add(0, pseudo, sizeof(pseudo)), h, UDP_HEADER), data, len));
	be16_store(h + 6, sum == 0 ? 0xffff : sum);
}

void pcap_outer(FILE *f, int64_t wall_us, const struct pcap_outer *o, const uint8_t *data,
		size_t len, size_t orig_len)
{
	uint8_t headers[HEADERS_MAX];
	size_t header = IPV4_HEADER + (o->protocol == IPV4_PROTOCOL_UDP ? UDP_HEADER : 0);

	/* packets that arrived merged may be longer than any packet can be */
	if (orig_len > IPV4_LEN_MAX - header)
		orig_len = IPV4_LEN_MAX - header;
	if (len > orig_len)
		len = orig_len;
	write_ipv4(headers, o, header + orig_len);
	if (o->protocol == IPV4_PROTOCOL_UDP)
		write_udp(headers + IPV4_HEADER, o, data, len, orig_len);
	packet_head(f, wall_us, header + len, header + orig_len);
	fwrite(headers, 1, header, f);
	fwrite(data, 1, len, f);
}
