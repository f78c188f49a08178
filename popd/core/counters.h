/*
 * One worker's counters: written by that worker alone (relaxed), summed by the control thread. Per tunnel: packets and
 * octets of inner traffic both ways, drops by reason, liveness. Per PoP: the same, plus drops that no tunnel could be
 * named for, each reason with time and peer of the last one.
 */
#ifndef POPD_CORE_COUNTERS_H
#define POPD_CORE_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "popd/core/drop.h"

/* One cache line: what a worker touches for a tunnel's every packet. */
struct tunnel_counters {
	_Atomic uint64_t packets_in, octets_in; /* from the client: delivered, or answered by the PoP */
	_Atomic uint64_t packets_out,
		octets_out; /* to the client, answers included; probes and their replies count as echo_* only */
	_Atomic uint32_t echo_sent, echo_received, rtt_min_us, rtt_max_us; /* rtt_min_us 0: none */
	_Atomic uint64_t rtt_sum_us;
	_Atomic uint32_t row; /* of its drops in this worker's rows, plus 1; 0: nothing dropped yet */
} CACHE_ALIGNED;

/* A tunnel's drops, apart, since most tunnels need a row at one worker only. Read it by counters_drops. */
struct tunnel_drops {
	_Atomic uint32_t count[DROP__COUNT];
	_Atomic uint32_t last;      /* enum drop of the last one */
	_Atomic uint32_t last_time; /* wall second */
	_Atomic uint64_t last_from; /* endpoint word of its outer source; 0: uplink */
};

struct drop_last {
	_Atomic uint64_t count;
	_Atomic uint32_t time;   /* wall second of the last one */
	_Atomic uint32_t tunnel; /* T-id of the last one, 0: none known */
	_Atomic uint64_t from;   /* endpoint word; 0: uplink */
};

struct counters {
	struct drop_last drops[DROP__COUNT]; /* all of the PoP, by reason */
	_Atomic uint64_t packets_in, octets_in, packets_out, octets_out;
	_Atomic uint64_t beats;                    /* valid heartbeats and AYIYA no-ops */
	_Atomic uint64_t moves;                    /* endpoints that moved */
	_Atomic uint64_t answers, answers_limited; /* ICMPv6 errors sent, and held back by the rate limit */
	/* all tunnels' liveness, those that are gone included; rtt_min_us 0: none */
	_Atomic uint64_t echo_sent, echo_received, rtt_sum_us;
	_Atomic uint32_t rtt_min_us, rtt_max_us;
	struct tunnel_counters *tunnels; /* by slot; mapped, touched when used */
	struct tunnel_drops *rows;       /* given out in order of first need; a slot keeps its row */
	uint32_t rows_used;              /* the worker's own */
	size_t slots;
};

/* NULL: no memory. */
struct counters *counters_create(size_t slots);
void counters_free(struct counters *c);

/* Worker side. `tunnel_id` 0 and `slot` UINT32_MAX: no tunnel is known. `from`: endpoint word or 0. */
void counters_drop(struct counters *c, enum drop why, uint32_t slot, uint32_t tunnel_id, uint64_t from, uint32_t now)
	NONNULL;
void counters_in(struct counters *c, uint32_t slot, uint32_t packets, size_t octets) NONNULL;
void counters_out(struct counters *c, uint32_t slot, size_t octets) NONNULL;
void counters_echo_sent(struct counters *c, uint32_t slot) NONNULL;
void counters_echo_received(struct counters *c, uint32_t slot, uint32_t rtt_us) NONNULL;
void counters_beat(struct counters *c) NONNULL;
void counters_move(struct counters *c) NONNULL;
void counters_answer(struct counters *c, bool sent) NONNULL; /* false: held back */

/* Any thread: this worker's drops of a slot; NULL: none yet. */
const struct tunnel_drops *counters_drops(const struct counters *c, uint32_t slot) NONNULL;

/* A slot's tunnel is gone: control thread, after no worker can touch it any more (table_on_free says when). */
void counters_clear_slot(struct counters *c, uint32_t slot) NONNULL;

#endif
