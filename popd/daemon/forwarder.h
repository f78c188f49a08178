/*
 * All that forwards: the tunnel table, the workers that read it, the kernel's program where there
 * is one, and the counters that these write. Other parts read the members; only this module changes
 * them. What the workers report of endpoints goes to the endpoint journal, and in part to the log.
 * Control thread.
 */
#ifndef POPD_DAEMON_FORWARDER_H
#define POPD_DAEMON_FORWARDER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/log.h"
#include "lib/sha1_many.h"
#include "popd/observe/fitness.h"
#include "popd/core/job.h"
#include "popd/core/offload.h"
#include "popd/daemon/stall.h"
#include "popd/core/table.h"

struct bpf_encap;
struct counters;
struct limiter;
struct roam;
struct link;
struct settings;
struct store;
struct tap;
struct tap_watch;
struct worker;

struct forwarder {
	const struct settings *settings;
	struct table *table;
	struct worker *workers[TABLE_WORKERS];
	unsigned worker_count;
	struct bpf_encap *encap;                      /* NULL: off, or missing */
	struct counters *counters[TABLE_WORKERS + 1]; /* the workers', then those of `encap` */
	unsigned counter_sets;
	struct limiter *limiter;
	struct roam *roam;
	struct offloads offloads;
	struct sha1_set sha1;
	struct link *link; /* NULL: `encap` is not on the interface */
	unsigned seconds;
	struct stall stalls[TABLE_WORKERS];
	struct guard fast_path_guard;
	uint32_t *logged; /* by slot: mono_s_t of the last line; mapped, touched when used */
	struct log_limit log_limit, clients_limit; /* of changes; of two clients on one tunnel */
};

/* Makes the table, empty, in the kernel program's memory where there is one. `s` outlives it.
 * `start`: when popd was started, .wall 0: it took over from one that ran (roam.h). NULL: no
 * memory. */
struct forwarder *forwarder_create(const struct settings *s, struct timestamp start) NONNULL;
/* After forwarder_stop, if it was started. NULL is fine. */
void forwarder_free(struct forwarder *f);

/* Makes and starts the workers. They call `wake` in their own threads when the control thread has
 * something to fetch. `watch` outlives them. false: after a line in the log. */
bool forwarder_start(struct forwarder *f, const struct tap_watch *watch, void (*wake)(void *ctx),
		     void *ctx) NONNULL_ARGS(1, 2, 3) MUSTCHECK;
/* Puts the kernel's program on the interface, if the settings ask for it. Without it popd forwards
 * all packets itself, more slowly. `link` outlives it. */
void forwarder_start_fast_path(struct forwarder *f, struct link *link) NONNULL;
/* Puts the kernel's program back if others took it off the interface. */
void forwarder_repair_fast_path(struct forwarder *f) NONNULL;
/* No packet is forwarded any more. false: a worker stands still; nothing it uses may be freed. */
bool forwarder_stop(struct forwarder *f) NONNULL;

/* Seconds since a worker stands still, at least 1; 0: it does not. */
uint32_t forwarder_stalled(const struct forwarder *f, unsigned worker) NONNULL;

/* To be called each second. */
void forwarder_tick(struct forwarder *f) NONNULL;
/* Gives the settings' expiry to all that forwards. */
void forwarder_set_expiry(struct forwarder *f) NONNULL;
/* The PoP's prefixes have changed. */
void forwarder_set_pop(struct forwarder *f, const struct pop_conf *pop) NONNULL;
/* No worker uses the slot any more: its counters begin at 0. */
void forwarder_clear_slot(struct forwarder *f, uint32_t slot) NONNULL;

/* Takes all that the workers report; afterwards the journal is on disk. */
void forwarder_drain_events(struct forwarder *f, struct store *store) NONNULL;
/* The workers' taps: their number. */
unsigned forwarder_taps(const struct forwarder *f, struct tap *taps[static TABLE_WORKERS]) NONNULL;
/* True when the TUN interface was removed under a worker. */
bool forwarder_has_failed(const struct forwarder *f) NONNULL;

#endif
