/*
 * A job is one packet on its way through the pipeline: what a port received, what the pipeline
 * decided, and what is to be sent (`out`). Data only; pipeline.h says who works on it.
 */
#ifndef POPD_CORE_JOB_H
#define POPD_CORE_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/clock.h"
#include "lib/ip.h"
#include "popd/core/drop.h"
#include "popd/core/icmp_error.h"
#include "popd/core/tunnel.h"

enum {
	JOB_BATCH = 64, /* the largest number of jobs in a batch */
	/* writable bytes before `data` and after data + len that the port guarantees */
	JOB_HEADROOM = 192,
	JOB_TAILROOM = 64,
};

enum job_source {
	JOB_FROM_TUN,       /* `data` is an IPv6 packet */
	JOB_FROM_AYIYA,     /* `data` is the UDP payload */
	JOB_FROM_HEARTBEAT, /* the same */
	JOB_FROM_PROTO41,   /* `data` is the payload of the IPv4 packet */
	JOB_PROBE,          /* `data` is popd's own probe, to be sent into `tunnel` */
	/* `data` is an ICMPv4 error without its IPv4 header, `from` (no port) its sender */
	JOB_FROM_ICMP4,
	JOB_ASK, /* `data` is popd's own ask, to be sent for `tunnel` to `endpoint` (ask.h) */
};

/* popd made the packet itself. */
static inline bool job_is_own(enum job_source s)
{
	return s == JOB_PROBE || s == JOB_ASK;
}

/* Generic segmentation offload (GSO): one packet stands for several TCP segments of a flow, as the
 * kernel's receive offload merged them. Its checksum field holds the sum of the pseudo-header only.
 * Only packets to the uplink may be GSO packets (forward_is_transit): all others must be examined
 * segment by segment. */
struct gso {
	/* payload bytes of each segment but the last, which may be shorter; 0: a plain packet */
	uint16_t size;
	uint16_t header; /* bytes before the payload: IPv6 and TCP, no extension headers */
};

/* The number of segments that a packet of `len` bytes stands for. */
static inline uint32_t gso_segments(struct gso s, uint32_t len)
{
	return s.size == 0 || len <= s.header ? 1 : (len - s.header + s.size - 1u) / s.size;
}

enum out_kind { OUT_NONE, OUT_TUN, OUT_UDP, OUT_PROTO41 };

/* A packet to be sent. `data` lies in its job's buffer or in its job's `echo`. */
struct out {
	enum out_kind kind;
	uint8_t *data;
	uint32_t len;
	struct endpoint4 to;   /* OUT_UDP, OUT_PROTO41 */
	uint8_t tos;           /* outer DSCP and ECN */
	bool dont_fragment;    /* outer DF */
	struct gso gso;        /* OUT_TUN */
	struct tunnel *tunnel; /* that send errors are counted for; NULL: none */
};

/* What a job reports to the control thread: a change of a tunnel's state, or an ICMP error that
 * names its tunnel by the endpoint only (pipeline_icmp_error once the tunnel is found). */
enum event {
	EVENT_NONE,
	EVENT_ENDPOINT_MOVED,
	EVENT_TWO_CLIENTS, /* the endpoint moved, to and fro between two clients (roam.h) */
	EVENT_TUNNEL_UP,
	EVENT_ICMP_ERROR
};

/* The outer DSCP: a copy of the inner packet's, or DSCP_FIXED + 0 to 63. */
enum dscp { DSCP_COPY, DSCP_FIXED, DSCP_LAST = DSCP_FIXED + 63 };

struct job {
	/* in */
	enum job_source source;
	uint8_t *data;
	uint32_t len;
	struct endpoint4 from; /* outer source; none for JOB_FROM_TUN */
	uint8_t outer_tos;     /* as received */
	struct gso gso;        /* JOB_FROM_PROTO41 */
	bool merged;           /* the same: several packets that the port cannot cut (segment.h) */
	/* JOB_PROBE, JOB_ASK: the destination; else found by the pipeline: the tunnel that sent the packet,
	 * NULL: none or unknown */
	struct tunnel *tunnel;
	/* found by the pipeline */
	const struct tunnel_conf *conf; /* of `tunnel` */
	/* out */
	/* DROP_NONE, or why the packet was dropped (out[0] may still hold an ICMPv6 error) */
	enum drop drop;
	const struct tunnel *charged; /* that the drop is counted for; NULL: the PoP only */
	const struct tunnel_conf *charged_conf;
	struct out out[2]; /* out[1]: the response to an AYIYA echo request that also forwards */
	enum event event;
	/* the endpoint word: EVENT_ENDPOINT_MOVED, EVENT_TWO_CLIENTS: before and after; JOB_ASK, in:
	 * that of the asked address */
	uint64_t old_endpoint, endpoint;
	struct icmp_error icmp_error; /* EVENT_ICMP_ERROR */
	uint8_t echo[128];            /* buffer of out[1] */
};

/* The time at which a batch is handled. */
struct timestamp {
	uint32_t wall;   /* seconds since 1970: protocol timestamps */
	int64_t mono_us; /* microseconds of the monotonic clock: rate limits and round-trip times */
	mono_s_t mono;   /* seconds of it: how long ago a client was heard, a path MTU learnt */
};

#endif
