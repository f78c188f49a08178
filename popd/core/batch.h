/*
 * A batch of jobs in the pipeline: what its stages (arrive.h, depart.h) hand to one another, and
 * how each of them drops a packet or requests a digest.
 */
#ifndef POPD_CORE_BATCH_H
#define POPD_CORE_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/auth.h"
#include "popd/core/job.h"
#include "popd/core/work.h"

struct asks;
struct counters;
struct forward_conf;
struct gone;
struct limiter;
struct roam;

struct batch {
	struct job *jobs;
	size_t n;
	struct timestamp now;
	struct work work[JOB_BATCH];
	/* digests requested and not yet computed, and the index of the job of each; a job requests
	 * at most two at a time */
	struct auth_item items[2 * JOB_BATCH];
	uint8_t item_job[2 * JOB_BATCH];
	size_t item_count;
	/* of the pipeline that runs it */
	const struct pop_conf *pop;
	const struct forward_conf *forward;
	struct counters *counters;
	struct limiter *limiter;
	struct roam *roam;
	struct asks *asks;
	const struct gone *gone;
	uint16_t ayiya_port;
	enum dscp dscp;
};

/* Clears what an earlier batch left in the jobs. */
void batch_reset(struct batch *b) NONNULL;

/* Ends job i: sets its reason and counts the drop, for tunnel `t` (NULL: none) of configuration
 * `c`. */
void batch_drop(struct batch *b, size_t i, enum drop why, const struct tunnel *t,
		const struct tunnel_conf *c) NONNULL_ARGS(1);

/* Cancels the outputs whose signature could not be computed, and counts them as dropped. */
void batch_drop_unsigned(struct batch *b) NONNULL;

/* The next digest to compute, for job i; the caller fills it. */
static inline struct auth_item *batch_item(struct batch *b, size_t i)
{
	b->item_job[b->item_count] = (uint8_t)i;
	return &b->items[b->item_count++];
}

#endif
