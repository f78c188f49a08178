/*
 * One worker's counters: written by that worker alone (relaxed), summed by the control thread. Per
 * tunnel: packets and bytes of inner traffic both ways, drops by reason, liveness. Per PoP: the
 * same, plus drops that no tunnel could be named for. Each reason has a record of its last packet,
 * which is written before the packet is counted: who sees the count sees that packet or a later
 * one.
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
#include "popd/core/drop_record.h"

/* One cache line: what a worker touches for a tunnel's every packet. */
struct tunnel_counters {
	/* from the client: delivered, or answered by the PoP */
	_Atomic uint64_t packets_in, bytes_in;
	/* to the client, answers included; probes and their replies count as echo_* only */
	_Atomic uint64_t packets_out, bytes_out;
	_Atomic uint32_t echo_sent, echo_received, rtt_min_us, rtt_max_us; /* rtt_min_us 0: none */
	_Atomic uint64_t rtt_sum_us;
	/* the first of its list in this worker's drops, plus 1; 0: nothing dropped yet */
	_Atomic uint32_t drops;
} CACHE_ALIGNED;

/* A tunnel's drops for one reason, apart, since most tunnels know few reasons. Read them by
 * counters_drops. */
struct tunnel_drops {
	_Atomic uint32_t count;
	_Atomic uint32_t record; /* in this worker's records, plus 1; 0: none */
	uint32_t next, reason;   /* the list of the slot's; set before this can be found */
};

struct pop_drops {
	_Atomic uint64_t count;
	struct drop_record last;
};

/* A worker has so many records for tunnels, and two a tunnel more; drops beyond that are counted
 * only. */
enum { COUNTERS_RECORDS = 1 << 16 };

struct counters {
	struct pop_drops drops[DROP__COUNT]; /* all of the PoP, by reason */
	_Atomic uint64_t packets_in, bytes_in, packets_out, bytes_out;
	_Atomic uint64_t beats; /* valid heartbeats and AYIYA no-ops */
	_Atomic uint64_t moves; /* endpoints that moved */
	/* ICMPv6 errors sent, and held back by the rate limit */
	_Atomic uint64_t answers, answers_limited;
	/* all tunnels' liveness, those that are gone included; rtt_min_us 0: none */
	_Atomic uint64_t echo_sent, echo_received, rtt_sum_us;
	_Atomic uint32_t rtt_min_us, rtt_max_us;
	struct tunnel_counters *tunnels; /* by slot; mapped, touched when used */
	struct tunnel_drops
		*tunnel_drops;       /* given out in order of first need; a slot keeps its own */
	struct drop_record *records; /* the same */
	uint32_t drops_used, records_used; /* the worker's own */
	size_t record_room;
	size_t slots;
	bool borrows_tunnels; /* `tunnels` is the caller's memory */
};

/* NULL: no memory. */
struct counters *counters_create(size_t slots);
/* The same with its `tunnels` in memory of the caller's: zeroed, and there as long as the counters.
 */
struct counters *counters_create_in(struct tunnel_counters *tunnels, size_t slots);
void counters_free(struct counters *c);

/* Worker side. Counts what `note` tells of; slot UINT32_MAX: no tunnel is known. */
void counters_drop(struct counters *c, uint32_t slot, const struct drop_note *note) NONNULL;
void counters_in(struct counters *c, uint32_t slot, uint32_t packets, size_t bytes) NONNULL;
void counters_out(struct counters *c, uint32_t slot, size_t bytes) NONNULL;
void counters_echo_sent(struct counters *c, uint32_t slot) NONNULL;
void counters_echo_received(struct counters *c, uint32_t slot, uint32_t rtt_us) NONNULL;
void counters_beat(struct counters *c) NONNULL;
void counters_move(struct counters *c) NONNULL;
void counters_answer(struct counters *c, bool sent) NONNULL; /* false: held back */

/* Any thread: what this worker dropped of a slot for one reason; added to `sum` for each; and the
 * record of the last one, NULL: none was ever given. */
uint32_t counters_drops(const struct counters *c, uint32_t slot, enum drop why) NONNULL;
void counters_add_drops(const struct counters *c, uint32_t slot, uint64_t sum[static DROP__COUNT])
	NONNULL;
const struct drop_record *counters_record(const struct counters *c, uint32_t slot, enum drop why)
	NONNULL;

/* A slot's tunnel is gone: control thread, after no worker can touch it any more (table_on_free
 * says when). */
void counters_clear_slot(struct counters *c, uint32_t slot) NONNULL;

#endif
