/*
 * A tap copies a worker's packets for the control thread (trace.h). While anybody watches, it saves
 * each batch as received, and pushes the packets of watched tunnels, with what became of them, into
 * a ring after the batch has run. A packet that does not fit into the ring is lost and counted.
 * While nobody watches, a batch costs one relaxed load.
 *
 * No copy holds key material: sent packets are signed by then, and a key in place of the signature
 * of a received one is overwritten as in drop_record.h.
 */
#ifndef POPD_PORT_TAP_H
#define POPD_PORT_TAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/job.h"

struct tap;

/* Bytes of a packet that are copied; only merged packets are longer. */
enum { TAP_SNAP = 2048, TAP_ECHO = 128 };

/* What is watched besides tunnel.watched. Set by the control thread, one for all workers. */
struct tap_watch {
	_Atomic uint32_t watchers; /* 0: nothing is watched */
	_Atomic bool all;          /* every packet is watched */
};

struct tap_out {
	uint8_t kind; /* enum out_kind */
	uint8_t tos;
	bool dont_fragment;
	bool answer; /* popd's own packet, sent back to where the received one came from */
	struct endpoint4 to;
	uint32_t len;
	uint32_t tunnel; /* T-id of its destination; 0: the uplink */
};

/* A received packet, and what became of it. */
struct tap_packet {
	int64_t wall_us;
	uint8_t source; /* enum job_source */
	uint8_t drop;   /* enum drop */
	uint8_t tos;    /* outer, as received */
	struct endpoint4 from;
	uint32_t len;
	uint32_t tunnel;  /* T-id of its sender; 0: the uplink, or unknown */
	uint32_t charged; /* T-id that the drop is counted for; 0: the PoP only */
	struct tap_out out[2];
	uint8_t data[TAP_SNAP]; /* as received, the first bytes of `len` */
	uint8_t sent[TAP_SNAP]; /* out[0] */
	uint8_t echo[TAP_ECHO]; /* out[1] */
};

/* NULL: no memory. `watch` outlives it. */
struct tap *tap_create(const struct tap_watch *watch) NONNULL;
void tap_free(struct tap *t); /* NULL is fine */

/* ---- worker ---- */

bool tap_is_watched(const struct tap *t) NONNULL;
/* Around pipeline_run, if tap_is_watched was true before it. True: a packet was pushed or lost. */
void tap_before(struct tap *t, const struct job *jobs, size_t n) NONNULL;
bool tap_after(struct tap *t, const struct job *jobs, size_t n) NONNULL;

/* ---- control thread ---- */

/* The oldest packet in the ring, valid until tap_done; NULL: none. */
const struct tap_packet *tap_first(struct tap *t) NONNULL;
void tap_done(struct tap *t) NONNULL; /* removes it */
/* Packets lost since the last call. */
uint64_t tap_lost(struct tap *t) NONNULL;

#endif
