/*
 * What a worker does with a batch of jobs, without any input or output: parse, look up (with
 * prefetch), authenticate (the digests of the batch together), decide (forward.h), encapsulate.
 * Packets change in their own buffers. One job never reads another's. No fd, clock, allocation, log
 * or lock.
 */
#ifndef POPD_CORE_PIPELINE_H
#define POPD_CORE_PIPELINE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"
#include "lib/sha1_many.h"
#include "popd/core/ask.h"
#include "popd/core/counters.h"
#include "popd/core/forward.h"
#include "popd/core/icmp_error.h"
#include "popd/core/job.h"
#include "popd/core/limit.h"
#include "popd/core/roam.h"
#include "popd/core/table.h"

struct pipeline {
	struct table *table;
	struct counters *counters; /* this worker's */
	struct limiter *limiter;   /* of ICMPv6 errors, shared by all workers */
	struct roam *roam;         /* shared by all workers */
	/* this worker's, ROAM_BUDGET__COUNT lists by budget; the caller sends those that become due */
	struct asks *asks;
	struct digest_ctx *digest; /* this thread's */
	struct sha1_set sha1;      /* engines for the signatures of a batch */
	struct forward_conf forward;
	uint16_t ayiya_port; /* the source port of our AYIYA packets */
	enum dscp dscp;      /* of what is sent into tunnels */
	mono_s_t last;       /* when it ran last; set by pipeline_run */
};

/* Runs `n` (<= JOB_BATCH) jobs, between table_worker_enter and _leave. An endpoint that moves
 * within the batch is where all of the batch's packets to that tunnel go. A job that needs no
 * output (a heartbeat, the reply to a probe) ends with DROP_NONE and OUT_NONE. */
void pipeline_run(struct pipeline *p, struct job *jobs, size_t n, struct timestamp now) NONNULL;

/* ---- drops outside a batch; `wall`: wall seconds ---- */

/* Counts an output that could not be sent, for the reason `error` (errno): DROP_TUN_REFUSED or
 * DROP_SEND_REFUSED. */
void pipeline_refused(struct pipeline *p, const struct out *out, int error, uint32_t wall) NONNULL;

/* An outer packet of the last run that must not be fragmented is larger than the MTU of our own
 * link: counts it (DROP_OUTER_TOO_BIG) and lowers the path MTU to the next plateau. */
void pipeline_too_big(struct pipeline *p, const struct out *out, uint32_t wall) NONNULL;

/* Counts a received packet that cannot become a job (DROP_OUTER_SHORT). */
void pipeline_unreadable(struct pipeline *p, enum job_source source, struct endpoint4 from,
			 const uint8_t *data, uint32_t len, uint32_t wall) NONNULL;

/* Applies and counts an ICMP error about `t` (NULL: no tunnel has that endpoint), between
 * table_worker_enter and _leave. `data` holds the first DROP_HEAD of its `len` bytes. */
void pipeline_icmp_error(struct pipeline *p, struct tunnel *t, const struct icmp_error *e,
			 const uint8_t *data, uint32_t len, struct timestamp now)
	NONNULL_ARGS(1, 3);

#endif
