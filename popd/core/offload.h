/*
 * What the kernel can do for many packets at once, in one list: configuration keys, probing at
 * start, fallback at run time and the status all walk it. Workers share the states: each is set at
 * start and may only change from on to refused later.
 */
#ifndef POPD_CORE_OFFLOAD_H
#define POPD_CORE_OFFLOAD_H

#include <stdatomic.h>
#include <stdbool.h>

#include "lib/cc.h"

/* X(enumerator, name in configuration and status, default, help text of the setting) */
#define OFFLOAD_LIST(X)                                                            \
	X(TUN_TSO, "tun_tso", "yes",                                               \
	  "TCP segments cross the TUN merged, both ways (vnet header, TSO)")       \
	X(TUN_USO, "tun_uso", "yes",                                               \
	  "UDP datagrams cross the TUN merged, both ways (USO, Linux 6.2)")        \
	X(UDP_GRO, "udp_gro", "yes",                                               \
	  "AYIYA packets of one client are received merged (UDP_GRO, Linux 5.0)")  \
	X(UDP_GSO, "udp_gso", "yes",                                               \
	  "AYIYA packets to one client are sent merged (UDP_SEGMENT, Linux 4.18)") \
	X(TUN_STEER, "tun_steer", "yes",                                           \
	  "with several workers, all packets to one /64 go to one of them")        \
	X(BPF_ENCAP, "bpf_encap", "no",                                            \
	  "protocol-41 packets to clients are sent by a program in the kernel (Linux 5.17)")

enum offload {
#define X(e, name, standard, text) OFFLOAD_##e,
	OFFLOAD_LIST(X)
#undef X
		OFFLOAD__COUNT
};

enum offload_state {
	OFFLOAD_OFF, /* by configuration */
	OFFLOAD_ON,
	OFFLOAD_MISSING, /* the kernel does not have it */
	OFFLOAD_REFUSED, /* the kernel refused it after accepting it at start: off for good */
	OFFLOAD_STATE__COUNT
};

struct offloads {
	_Atomic int state[OFFLOAD__COUNT]; /* enum offload_state */
};

const char *offload_name(enum offload o);
const char *offload_state_name(enum offload_state s); /* "off", "on", "missing", "refused" */

static inline bool offload_is_on(const struct offloads *o, enum offload which)
{
	return atomic_load_explicit(&o->state[which], memory_order_relaxed) == OFFLOAD_ON;
}

/* The kernel refused it: sets `why`. True the first time, for the one log line. */
bool offload_lost(struct offloads *o, enum offload which, enum offload_state why) NONNULL;

#endif
