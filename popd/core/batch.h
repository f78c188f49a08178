/* A batch on its way through the pipeline: what its stages hand on to one another. Only pipeline.c,
 * arrive.c, depart.c and note.c include it. */
#ifndef POPD_CORE_BATCH_H
#define POPD_CORE_BATCH_H

#include "lib/wire/ayiya.h"
#include "lib/wire/heartbeat.h"
#include "popd/core/auth.h"
#include "popd/core/pipeline.h"

/* What is known of one job beyond the job itself. */
struct work {
	uint8_t *inner;             /* the inner packet; NULL: there is none (yet) */
	uint32_t inner_len;         /* as ipv6_check has it */
	bool echoes;                /* the client has asked for an AYIYA echo response */
	uint64_t from;              /* endpoint word of the outer source; 0: uplink */
	const struct ip6 *identity; /* the address that names the tunnel; NULL: none does */
	struct route route;         /* of `who`; later of the inner source */
	union {
		struct ayiya_view ayiya;
		struct heartbeat beat;
		struct icmp4_error icmp4;
	};
	uint8_t claimed[DIGEST_MAX_LEN]; /* the signature as it came, where now the key is: */
	/* that place in the job's data; no length: nothing is replaced */
	uint32_t claimed_at, claimed_len;
	bool remarked;                    /* the inner traffic class was changed; */
	uint8_t class;                    /* it was this */
	uint8_t computed[DIGEST_MAX_LEN]; /* what it should be */
};

struct batch {
	struct pipeline *p;
	struct job *jobs;
	size_t n;
	struct timestamp now;
	const struct pop_conf *pop;
	struct work work[PIPELINE_BATCH];
	/* Digests asked for and not yet computed; `asker`: the job. A job asks for at most two at a
	 * time. */
	struct auth_item items[2 * PIPELINE_BATCH];
	uint8_t asker[2 * PIPELINE_BATCH];
	size_t item_count;
};

/* Ends a job's way: sets its reason and counts it, for tunnel `t` (NULL: none). */
void batch_drop(struct batch *b, size_t i, enum drop why, const struct tunnel *t,
		const struct tunnel_conf *c) NONNULL_ARGS(1);

static inline struct auth_item *batch_item(struct batch *b, size_t i)
{
	b->asker[b->item_count] = (uint8_t)i;
	return &b->items[b->item_count++];
}

/* ---- note.c ---- */

/* What is to be kept of job i, which goes for `why`. Key material is in no note, whoever put it
 * into the packet. */
void note_take(const struct batch *b, size_t i, enum drop why, const struct tunnel *t,
	       const struct tunnel_conf *c, struct drop_note *out) NONNULL_ARGS(1, 6);
/* The same, of a packet that has been built over and so is not what was received: its length alone.
 */
void note_take_length(const struct batch *b, size_t i, enum drop why, const struct tunnel_conf *c,
		      struct drop_note *out) NONNULL_ARGS(1, 5);

/* ---- arrive.c ---- */

/* Parses the outside of each job: sets `who`, or `inner` of what comes from inside; or drops. */
void arrive_open(struct batch *b) NONNULL;
/* `route` of `who` is known: refuses what can be refused without a digest, asks for the digests of
 * the rest. */
void arrive_check(struct batch *b) NONNULL;
/* The digests are there: refuses what is forged or replayed, notes who is heard, and finds the
 * inner packets. */
void arrive_accept(struct batch *b) NONNULL;

/* ---- depart.c ---- */

/* Decides about job i, whose inner source has the route in its work, and carries it out; may ask
 * for a digest. */
void depart_inner(struct batch *b, size_t i, const struct route *destination) NONNULL;
/* Our own packet into a tunnel. */
void depart_probe(struct batch *b, size_t i) NONNULL;
/* The response to an AYIYA echo request. */
void depart_echo(struct batch *b, size_t i) NONNULL;

#endif
