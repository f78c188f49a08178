/*
 * Who follows which tunnels' packets, live: takes what the workers tell (tap.h) and hands each
 * packet, as a line of JSON, to all that watch one of its tunnels. A watcher is a client of the
 * control socket, known by its number there. One that does not read loses lines and is told how
 * many, when it reads again; nobody waits for it. Control thread.
 *
 * A tunnel is watched by its number, so one that is deleted and comes back is followed again within
 * a second.
 */
#ifndef POPD_OBSERVE_TRACE_H
#define POPD_OBSERVE_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/table.h"
#include "popd/port/tap.h"

struct trace;

enum { TRACE_TUNNELS = 64, TRACE_WATCHERS = 64 };

struct trace_filter {
	bool all; /* every packet of the PoP, those of no tunnel too */
	uint32_t ids[TRACE_TUNNELS];
	size_t n;
	uint32_t snap; /* so many bytes of each packet, TAP_SNAP at most */
};

/* Gives `line` to a watcher; false: it is behind and has no room for it. */
typedef bool trace_teller(void *ctx, unsigned watcher, const char *line, size_t len);

/* NULL: no memory. Workers are given trace_tap_watch. */
struct trace *trace_create(struct table *table, trace_teller *tell, void *ctx) NONNULL_ARGS(1, 2);
void trace_free(struct trace *t); /* the workers are gone; NULL is fine */
const struct tap_watch *trace_tap_watch(const struct trace *t) NONNULL;

/* `watcher` (under TRACE_WATCHERS) begins, and ends; ending what never began is fine. */
void trace_begin(struct trace *t, unsigned watcher, const struct trace_filter *filter) NONNULL;
void trace_end(struct trace *t, unsigned watcher) NONNULL;

/* Hands on what the `n` workers have told, in the order of time, a bounded number of packets; true:
 * there may be more. */
bool trace_drain(struct trace *t, struct tap *const *taps, size_t n) NONNULL;
/* Each second. */
void trace_tick(struct trace *t) NONNULL;

#endif
