/*
 * The state of the PoP at one time, in plain values: sums over the workers' counters. The control
 * socket shows them, reports and statistics send them. Reads only; control thread.
 */
#ifndef POPD_CORE_VIEW_H
#define POPD_CORE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/histogram.h"
#include "popd/core/counters.h"
#include "popd/core/measure.h"
#include "popd/core/table.h"

/* A tunnel is active when it is up and its client sent a valid packet within this many seconds. */
enum { VIEW_ACTIVE = 300 };

enum view_state { VIEW_UP, VIEW_DOWN, VIEW_DISABLED, VIEW_STATE__COUNT };
const char *view_state_name(enum view_state s); /* "up", "down", "disabled" */
enum view_state view_state(const struct tunnel *t, const struct tunnel_conf *c, mono_s_t now,
			   uint32_t expiry) NONNULL;

struct view_tunnels {
	uint32_t configured, up, active;
	uint32_t by[TUNNEL_TYPE__COUNT][VIEW_STATE__COUNT];
};
struct view_tunnels view_tunnels(struct table *t, mono_s_t now, uint32_t expiry) NONNULL;

/* Reads a record, waiting a short time while its worker writes it. false: it holds no note. */
bool view_note(const struct drop_record *r, struct drop_note *out) NONNULL;

struct view_drop {
	uint64_t count, from;
	uint32_t time, tunnel;
};
/* The whole PoP. */
struct view_pop {
	uint64_t packets_in, bytes_in, packets_out, bytes_out, beats, moves, path_challenges,
		path_responses, answers, answers_limited;
	uint64_t sent, received, rtt_sum_us; /* liveness, including deleted tunnels */
	uint32_t rtt_min_us, rtt_max_us;     /* 0: none */
	struct view_drop drops[DROP__COUNT];
};
void view_pop(struct counters *const *workers, size_t n, struct view_pop *out) NONNULL;
uint64_t view_pop_measure(const struct view_pop *v, enum measure m) NONNULL;

/* One tunnel. */
struct view_tunnel {
	uint64_t packets_in, bytes_in, packets_out, bytes_out, rtt_sum_us;
	uint32_t sent, received, rtt_min_us, rtt_max_us;
	uint64_t drops[DROP__COUNT];
};
void view_tunnel(struct counters *const *workers, size_t n, uint32_t slot, struct view_tunnel *out)
	NONNULL;
/* `m` is in MEASURE_TUNNEL_LIST. */
uint64_t view_tunnel_measure(const struct view_tunnel *v, enum measure m) NONNULL;

/* A tunnel's traffic, cheap enough to sum up for every tunnel. */
struct view_totals {
	uint64_t packets_in, bytes_in, packets_out, bytes_out, drops;
};
void view_totals(struct counters *const *workers, size_t n, uint32_t slot, struct view_totals *out)
	NONNULL;

/* The batches of one worker, or of several. */
struct view_load {
	struct histogram_view packets, us;
};

#endif
