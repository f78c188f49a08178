/*
 * The tunnel table: all tunnels of the PoP, and one hash from prefix to tunnel. Workers read it
 * without locks; one control thread writes. A change builds what is new, publishes it with one
 * release store and retires what is old; retired memory is freed once every worker has passed a
 * quiescent point (worker_*). Everything is sized at creation (`capacity`); pages are touched only
 * when used. No I/O, no clock, no log.
 */
#ifndef POPD_CORE_TABLE_H
#define POPD_CORE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "popd/core/tunnel.h"

struct table;

enum { TABLE_POP_PREFIXES = 64, TABLE_WORKERS = 64 };

/* The PoP itself, published like a tunnel_conf. */
struct pop_conf {
	struct ip4 ipv4; /* outer source of all we send */
	struct ip6 own;  /* <first tunnel prefix>:ffff::1, popd itself */
	size_t prefix_count;
	/* all tunnel and subnet prefixes: what is ours */
	struct prefix6 prefixes[TABLE_POP_PREFIXES];
	/* the first so many are tunnel prefixes: each one's :ffff::1 is popd */
	size_t tunnel_prefix_count;
};

/* NULL: no memory. The hash is keyed with `seed` (random: identities come from attackers). */
struct table *table_create(size_t capacity, unsigned workers, const uint8_t seed[static 16]);
/* The same with its tunnels in memory of the caller's: zeroed, for `capacity` of them, and there as
 * long as the table. */
struct table *table_create_in(struct tunnel *tunnels, size_t capacity, unsigned workers,
			      const uint8_t seed[static 16]);
void table_free(struct table *t);

/* ---- control thread ---- */

/* Adds or replaces the tunnel of c->id. Takes `c` (malloc'ed by tunnel_conf_create), also on
 * failure; puts its routes in order and its MTU within bounds. Endpoint and epoch survive a change
 * unless the type changes; a static tunnel's endpoint word is set from it. 0; -ERR_EXISTS: a prefix
 * is another tunnel's, or stands there twice (nothing changed); -ERR_NOMEM: table full. */
int table_set(struct table *t, struct tunnel_conf *c) NONNULL MUSTCHECK;
/* 0 or -ERR_NOT_FOUND. From the next batch on no packet finds it. */
int table_delete(struct table *t, uint32_t id) NONNULL;
void table_set_pop(struct table *t, const struct pop_conf *pop) NONNULL;
/* Frees what all workers have let go of; call now and then (each second). */
void table_reclaim(struct table *t) NONNULL;
size_t table_count(const struct table *t) NONNULL;
/* By id; NULL: none. Control thread only, as is walking slots 0..table_slots_used()-1 (conf NULL:
 * free). */
struct tunnel *table_by_id(struct table *t, uint32_t id) NONNULL;
/* All there are, `capacity` as created; and one more than the highest that was ever used. */
size_t table_slots(const struct table *t) NONNULL;
size_t table_slots_used(const struct table *t) NONNULL;
struct tunnel *table_slot(struct table *t, size_t slot) NONNULL;

/* What a snapshot or the journal knew of a tunnel's client, before it is heard from again: 0 or
 * -ERR_NOT_FOUND. A static tunnel keeps its configured endpoint, and nothing replaces what is
 * newer. */
int table_restore(struct table *t, uint32_t id, uint64_t endpoint, uint32_t newest, uint32_t heard)
	NONNULL;
/* `fn` is told (by table_set and table_reclaim, on the control thread) of each slot whose tunnel is
 * gone and that no worker uses any more. */
void table_on_free(struct table *t, void (*fn)(void *arg, uint32_t slot), void *arg)
	NONNULL_ARGS(1);

/* A prefix that leads to a tunnel. */
struct table_prefix {
	struct prefix6 prefix;
	uint32_t slot, id; /* of the tunnel */
	bool is_net;       /* it is the tunnel's own /64 */
};
enum table_prefix_change {
	PREFIX_ADDED,   /* packets will find its tunnel by it in a moment */
	PREFIX_REMOVED, /* they do not any more; its slot is still nobody else's */
	/* what was the tunnel's own /64 is a routed one now, or the other way round */
	PREFIX_TURNED,
};
/* `fn` is told that each prefix there is has been added, now, and from then on of every change.
 * NULL: nobody is. */
void table_on_prefix(struct table *t,
		     void (*fn)(void *arg, const struct table_prefix *p,
				enum table_prefix_change change),
		     void *arg) NONNULL_ARGS(1);
/* Bytes the table has touched, for the status. */
size_t table_memory(const struct table *t) NONNULL;

/* ---- workers ---- */

/* Around each batch: between enter and leave, everything found stays valid. A worker that sleeps
 * has left. */
void table_worker_enter(struct table *t, unsigned worker) NONNULL;
void table_worker_leave(struct table *t, unsigned worker) NONNULL;

const struct pop_conf *table_pop(const struct table *t) NONNULL;

enum route_kind { ROUTE_NONE, ROUTE_TUNNEL_NET, ROUTE_SUBNET };
struct route {
	enum route_kind kind;
	struct tunnel *tunnel;          /* NULL for ROUTE_NONE */
	const struct tunnel_conf *conf; /* of the same moment */
};
/* Longest match among the tunnels' prefixes of any length. */
struct route table_lookup(const struct table *t, const struct ip6 *ip) NONNULL;
/* The same for many: all that memory has to fetch is under way before the first is waited for.
 * `ip`s may be NULL: ROUTE_NONE. */
void table_lookup_batch(const struct table *t, const struct ip6 *const *ip, size_t n,
			struct route *out) NONNULL;
/* True when `ip` is in one of the PoP's prefixes. */
bool pop_owns(const struct pop_conf *pop, const struct ip6 *ip) NONNULL;
/* True when `ip` is popd itself: <a tunnel prefix>:ffff::1. */
bool pop_is(const struct pop_conf *pop, const struct ip6 *ip) NONNULL;

#endif
