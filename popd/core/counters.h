/*
 * One worker's counters: written by that worker alone (relaxed), summed by the control thread. Per
 * tunnel: packets and bytes of inner traffic in both directions, drops by reason, liveness. Per
 * PoP: the same, and the drops whose tunnel is unknown. Each reason has a record of its last
 * packet, written before the packet is counted: a reader of the count finds that packet's record or
 * a later one.
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

/* One cache line: all that a worker touches for each packet of a tunnel. */
struct tunnel_counters {
	/* from the client: delivered to the uplink or another tunnel, or answered by the PoP */
	_Atomic uint64_t packets_in, bytes_in;
	/* to the client, including the PoP's answers; probes and replies count as echo_* only */
	_Atomic uint64_t packets_out, bytes_out;
	_Atomic uint32_t echo_sent, echo_received, rtt_min_us, rtt_max_us; /* rtt_min_us 0: none */
	_Atomic uint64_t rtt_sum_us;
	/* index + 1 of the first of the tunnel's list in tunnel_drops; 0: none */
	_Atomic uint32_t drops;
} CACHE_ALIGNED;

/* A tunnel's drops for one reason, in a list since most tunnels have few reasons. Read them with
 * counters_drops. */
struct tunnel_drops {
	_Atomic uint32_t count;
	_Atomic uint32_t record; /* index + 1 in records; 0: none */
	uint32_t next, reason;   /* next: index + 1 in tunnel_drops; set before it is in the list */
};

struct pop_drops {
	_Atomic uint64_t count;
	struct drop_record last;
};

/* A worker has this many records for tunnels, plus two per tunnel; further drops are only
 * counted. */
enum { COUNTERS_RECORDS = 1 << 16 };

struct counters {
	struct pop_drops drops[DROP__COUNT]; /* of the whole PoP, by reason */
	_Atomic uint64_t packets_in, bytes_in, packets_out, bytes_out;
	_Atomic uint64_t beats;                           /* valid heartbeats and AYIYA no-ops */
	_Atomic uint64_t moves;                           /* moves of tunnel endpoints */
	_Atomic uint64_t path_challenges, path_responses; /* asks sent, and answers (ask.h) */
	/* ICMPv6 errors sent, and held back by the rate limit */
	_Atomic uint64_t answers, answers_limited;
	/* liveness of all tunnels, including deleted ones; rtt_min_us 0: none */
	_Atomic uint64_t echo_sent, echo_received, rtt_sum_us;
	_Atomic uint32_t rtt_min_us, rtt_max_us;
	/* mapped memory, touched when used; drops and records are allocated in order of first use,
	 * and a slot keeps those that it has */
	struct tunnel_counters *tunnels; /* by slot */
	struct tunnel_drops *tunnel_drops;
	struct drop_record *records;
	uint32_t drops_used, records_used; /* by the worker only */
	size_t record_capacity;
	size_t slots;
	bool borrows_tunnels; /* `tunnels` belongs to the caller */
};

/* NULL: no memory. */
struct counters *counters_create(size_t slots);
/* The same with `tunnels` in the caller's memory, which is zeroed and outlives the counters. */
struct counters *counters_create_in(struct tunnel_counters *tunnels, size_t slots);
void counters_free(struct counters *c);

/* By the worker. Counts the drop that `note` is about; slot UINT32_MAX: of no known tunnel. */
void counters_drop(struct counters *c, uint32_t slot, const struct drop_note *note) NONNULL;
void counters_in(struct counters *c, uint32_t slot, uint32_t packets, size_t bytes) NONNULL;
void counters_out(struct counters *c, uint32_t slot, size_t bytes) NONNULL;
void counters_echo_sent(struct counters *c, uint32_t slot) NONNULL;
void counters_echo_received(struct counters *c, uint32_t slot, uint32_t rtt_us) NONNULL;
void counters_beat(struct counters *c) NONNULL;
void counters_move(struct counters *c) NONNULL;
void counters_path_challenge(struct counters *c) NONNULL;
void counters_path_response(struct counters *c) NONNULL;
/* An ICMPv6 error; `sent` false: the rate limit held it back. */
void counters_answer(struct counters *c, bool sent) NONNULL;

/* Any thread. This worker's drops of a slot for one reason. */
uint32_t counters_drops(const struct counters *c, uint32_t slot, enum drop why) NONNULL;
/* Adds its drops of a slot to `sum`, by reason. */
void counters_add_drops(const struct counters *c, uint32_t slot, uint64_t sum[static DROP__COUNT])
	NONNULL;
/* Its record of a slot's last drop for one reason; NULL: there is none. */
const struct drop_record *counters_record(const struct counters *c, uint32_t slot, enum drop why)
	NONNULL;

/* Zeroes a slot whose tunnel is deleted: control thread, once no worker uses it any more
 * (table_on_free). */
void counters_clear_slot(struct counters *c, uint32_t slot) NONNULL;

#endif
