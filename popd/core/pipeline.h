/*
 * What a worker does with a batch, without any input or output: parse, look up (with prefetch),
 * authenticate (hashes of the batch together), decide (forward.h), build what goes out. Packets
 * change in their own buffers; every output points into its job's buffer (or its `echo`). One job
 * never reads another's. No fd, clock, allocation, log or lock.
 */
#ifndef POPD_CORE_PIPELINE_H
#define POPD_CORE_PIPELINE_H

#include "lib/digest.h"
#include "lib/sha1_many.h"
#include "popd/core/icmp_error.h"
#include "popd/core/counters.h"
#include "popd/core/drop.h"
#include "popd/core/limit.h"
#include "popd/core/table.h"

/* Writable bytes before `data` and after data + len that the reader guarantees. */
enum { JOB_HEADROOM = 192, JOB_TAILROOM = 64 };

enum job_source {
	JOB_FROM_TUN,       /* `data` is an IPv6 packet */
	JOB_FROM_AYIYA,     /* `data` is the UDP payload */
	JOB_FROM_HEARTBEAT, /* the same */
	JOB_FROM_PROTO41,   /* `data` is what follows the IPv4 header */
	JOB_PROBE, /* made by ourselves: an inner packet to send into `tunnel` (liveness) */
	/* `data` is an ICMPv4 error without its IPv4 header, `from` (no port) who sent it */
	JOB_FROM_ICMP4,
};

/* Several TCP segments of one flow in one packet, as the kernel's receive offload merged them; the
 * checksum is the pseudo-header's alone. Only what goes to the uplink may come so
 * (forward_is_transit): all else has to be seen segment by segment. */
struct gso {
	/* payload bytes of each segment but the last, which may be shorter; 0: one plain packet */
	uint16_t size;
	uint16_t header; /* bytes before the payload: IPv6 and TCP, no extension headers */
};

static inline uint32_t gso_segments(struct gso s, uint32_t len)
{
	return s.size == 0 || len <= s.header ? 1 : (len - s.header + s.size - 1u) / s.size;
}

enum out_kind { OUT_NONE, OUT_TUN, OUT_UDP, OUT_PROTO41 };
struct out {
	enum out_kind kind;
	uint8_t *data;
	uint32_t len;
	struct endpoint4 to;   /* OUT_UDP, OUT_PROTO41 */
	uint8_t tos;           /* outer DSCP and ECN */
	bool dont_fragment;    /* outer DF */
	struct gso gso;        /* OUT_TUN */
	struct tunnel *tunnel; /* whose traffic it is, for errors of the send; NULL: none */
};

/* What the control thread may be told of, at most one a job: something for the log, or an ICMP
 * error that shows no more of its tunnel than the endpoint (pipeline_icmp_error when it is found).
 */
enum event { EVENT_NONE, EVENT_ENDPOINT_MOVED, EVENT_TUNNEL_UP, EVENT_ICMP_ERROR };

/* The outer DSCP: the inner packet's, or DSCP_FIXED + 0 to 63. */
enum dscp { DSCP_COPY, DSCP_FIXED, DSCP_LAST = DSCP_FIXED + 63 };

struct job {
	/* in */
	enum job_source source;
	uint8_t *data;
	uint32_t len;
	struct endpoint4 from; /* outer source; none for JOB_FROM_TUN */
	uint8_t outer_tos;     /* as received */
	struct gso gso;        /* JOB_FROM_PROTO41 */
	/* JOB_PROBE: to; else set on the way: whose packet it is, as far as known */
	struct tunnel *tunnel;
	/* on the way */
	const struct tunnel_conf *conf;
	/* out */
	/* DROP_NONE, or why it went no further (an ICMPv6 answer may still be in out[0]) */
	enum drop drop;
	const struct tunnel *charged; /* with a drop: whose it is; NULL: the PoP's alone */
	const struct tunnel_conf *charged_conf; /* its configuration */
	struct out out[2]; /* out[1] only for an AYIYA echo request that also forwards */
	enum event event;
	uint64_t old_endpoint;        /* EVENT_ENDPOINT_MOVED: the endpoint word before */
	struct icmp_error icmp_error; /* EVENT_ICMP_ERROR */
	uint8_t echo[128];            /* room for the small second answer */
};

struct pipeline {
	struct table *table;
	struct counters *counters; /* this worker's */
	struct limiter *limiter;   /* all workers' budget of ICMPv6 errors */
	struct digest_ctx *digest; /* this thread's */
	struct sha1_set sha1;      /* engines for the signatures of a batch */
	uint32_t expiry;       /* seconds without a valid packet until a dynamic tunnel is down */
	uint8_t probe_key[16]; /* random, the same for all workers and for probe_build */
	uint16_t ayiya_port;   /* ours: where AYIYA packets leave from */
	enum dscp dscp;        /* of what goes into tunnels */
};

/* The moment a batch is handled at. */
struct timestamp {
	uint32_t wall;   /* seconds since 1970: protocol stamps */
	int64_t mono_us; /* microseconds of the monotonic clock: rate limits and round-trip times */
};

enum { PIPELINE_BATCH = 64 };

/* Runs `n` (<= PIPELINE_BATCH) jobs, between table_worker_enter and _leave. Where a client was last
 * heard from within the batch holds for all that goes to it. What has done its work here (a beat,
 * the reply to a probe) ends with DROP_NONE and no output. */
void pipeline_run(struct pipeline *p, struct job *jobs, size_t n, struct timestamp now) NONNULL;

/* Output could not be sent, `error` (errno) says why: counts it (DROP_TUN_REFUSED or
 * DROP_SEND_REFUSED). */
void pipeline_refused(struct pipeline *p, const struct out *out, int error, uint32_t wall) NONNULL;
/* What came could not be made a job of: counts it (DROP_OUTER_SHORT). */
void pipeline_unreadable(struct pipeline *p, enum job_source source, struct endpoint4 from,
			 const uint8_t *data, uint32_t len, uint32_t wall) NONNULL;

/* An outer packet that may not be fragmented is too large for our own link: the first router to say
 * so is the kernel. Counts it (DROP_OUTER_TOO_BIG) and lowers the path MTU to the next plateau. */
void pipeline_too_big(struct pipeline *p, const struct out *out, uint32_t wall) NONNULL;

/* Settles an ICMP error about `t` (NULL: no tunnel has that endpoint), between table_worker_enter
 * and _leave. Of its packet of `len` bytes the first DROP_HEAD are at `data`. */
void pipeline_icmp_error(struct pipeline *p, struct tunnel *t, const struct icmp_error *c,
			 const uint8_t *data, uint32_t len, uint32_t wall) NONNULL_ARGS(1, 3);

#endif
