/*
 * Where a worker lets others look at its packets: while anybody watches, it keeps each batch as it
 * came in, and tells afterwards what became of the packets of the watched tunnels. While nobody
 * does, a batch costs one relaxed load. What is told travels in a ring to the control thread
 * (trace.h); without room there it is lost, and that is counted.
 *
 * No key material is told: packets that leave are signed by then, and of what came in a key in
 * place of a signature is blanked as in drop_record.h.
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

/* So many bytes of a packet are told; only merged ones are longer. */
enum { TAP_SNAP = 2048, TAP_ECHO = 128 };

/* Who is watched, apart from tunnel.watched; the control thread's, one for all workers. */
struct tap_watch {
	_Atomic uint32_t watchers; /* 0: nobody watches anything */
	_Atomic bool all;          /* every packet */
};

struct tap_out {
	uint8_t kind; /* enum out_kind */
	uint8_t tos;
	bool dont_fragment;
	bool answer; /* popd's own, sent back to where the packet came from */
	struct endpoint4 to;
	uint32_t len;
	uint32_t tunnel; /* T-id of where it goes; 0: the uplink */
};

/* One packet and what became of it. */
struct tap_packet {
	int64_t wall_us;
	uint8_t source; /* enum job_source */
	uint8_t drop;   /* enum drop */
	uint8_t tos;    /* outer, as received */
	struct endpoint4 from;
	uint32_t len;
	/* T-id of whose packet it is, as far as known; 0: nobody's, or it is from the uplink */
	uint32_t tunnel;
	uint32_t charged; /* T-id of whose the drop is */
	struct tap_out out[2];
	uint8_t data[TAP_SNAP]; /* as received, len bytes as far as they fit */
	uint8_t sent[TAP_SNAP]; /* out[0] */
	uint8_t echo[TAP_ECHO]; /* out[1] */
};

/* NULL: no memory. `watch` outlives it. */
struct tap *tap_create(const struct tap_watch *watch) NONNULL;
void tap_free(struct tap *t); /* NULL is fine */

/* ---- worker ---- */

bool tap_is_watched(const struct tap *t) NONNULL;
/* Around pipeline_run, when it was watched before. True: something was told, or lost. */
void tap_before(struct tap *t, const struct job *jobs, size_t n) NONNULL;
bool tap_after(struct tap *t, const struct job *jobs, size_t n) NONNULL;

/* ---- control thread ---- */

/* The oldest packet not yet done with, valid until that is said; NULL: none. */
const struct tap_packet *tap_first(struct tap *t) NONNULL;
void tap_done(struct tap *t) NONNULL; /* with tap_first */
/* Packets lost since the last time this was asked. */
uint64_t tap_lost(struct tap *t) NONNULL;

#endif
