/*
 * Live traces: takes what the workers put into their taps (port/tap.h) and sends each packet, as
 * one line of JSON, to every watcher that follows one of its tunnels. A watcher is a client of the
 * control socket, known by its number there. A watcher that does not read fast enough loses lines
 * and is later sent their number; nobody waits for it. Control thread.
 *
 * Tunnels are followed by their number, so one that is deleted and comes back is followed again
 * within a second.
 *
 * A line is a packet:
 *
 *   at            microseconds since 1970
 *   tunnel        the tunnel it came from, null: none known, or it came from the uplink
 *   charged       the tunnel that the drop is counted for
 *   source        where it came in: "tun", "ayiya", "heartbeat", "proto41", "probe", "icmp4"
 *   from          outer source, "uplink" or "popd"
 *   tos           of the outer header, where there is one
 *   length        of the packet
 *   packet        as received, in hexadecimal, as many bytes as the watcher asked for
 *   drop, text    the reason's name and sentence, null: not dropped
 *   out           what left because of it, a list of
 *     kind        "tun", "udp", "proto41"
 *     answer      true: popd's own, back to where the packet came from
 *     tunnel, to, tos, df, length, packet
 *
 * or {"lost": n}: n packets were not sent.
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
	uint32_t snap; /* bytes of each packet, TAP_SNAP at most */
};

/* Sends `line` to a watcher; false: it has no room for it now. */
typedef bool trace_sender(void *ctx, unsigned watcher, const char *line, size_t len);

/* NULL: no memory. Workers are given trace_tap_watch. */
struct trace *trace_create(struct table *table, trace_sender *send, void *ctx) NONNULL_ARGS(1, 2);
void trace_free(struct trace *t); /* after the workers; NULL is fine */
const struct tap_watch *trace_tap_watch(const struct trace *t) NONNULL;

/* `watcher` (under TRACE_WATCHERS) begins, and ends; ending one that never began is fine. */
void trace_begin(struct trace *t, unsigned watcher, const struct trace_filter *filter) NONNULL;
void trace_end(struct trace *t, unsigned watcher) NONNULL;

/* Sends what waits in `n` workers' taps, in the order of time, a bounded number of packets; true:
 * there may be more. */
bool trace_drain(struct trace *t, struct tap *const *taps, size_t n) NONNULL;
/* To be called each second. */
void trace_tick(struct trace *t) NONNULL;

#endif
