/*
 * The tunnel table: all tunnels of the PoP, and one hash from prefix to tunnel. Workers read it
 * without locks; one control thread writes. A change builds the new configuration, publishes it
 * with one store and retires the old one, which is freed once every worker has left the batch that
 * may use it (table_worker_*). The table is sized at creation (`capacity`); memory is used only for
 * tunnels that exist. No I/O, no clock, no log.
 */
#ifndef POPD_CORE_TABLE_H
#define POPD_CORE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "popd/core/gone.h"
#include "popd/core/tunnel.h"

struct table;

enum { TABLE_POP_PREFIXES = 64, TABLE_WORKERS = 64, TABLE_POPS = 1024 };

/* The PoP itself, published like a tunnel_conf. */
struct pop_conf {
	struct ip4 ipv4;            /* outer source of every packet to a client */
	struct ip6 own;             /* <first tunnel prefix>:ffff::1, popd itself */
	size_t prefix_count;        /* of all tunnel and subnet prefixes */
	size_t tunnel_prefix_count; /* these are first; <each>:ffff::1 is popd */
	struct prefix6 prefixes[TABLE_POP_PREFIXES];
	/* the IPv4 addresses of all PoPs of the broker, by pop_set_peers: no tunnel ends at one, or
	 * two tunnels to each other's PoP would send a packet back and forth */
	size_t peer_count;
	uint64_t peer_filter[16];     /* the bit of an address's hash is set, or it is no PoP's */
	struct ip4 peers[TABLE_POPS]; /* in order */
};

/* NULL: no memory. The hash is keyed with `seed`, which must be random: attackers choose the
 * addresses that are looked up. */
struct table *table_create(size_t capacity, unsigned workers, const uint8_t seed[static 16]);
/* The same with the tunnels in the caller's memory: zeroed, for `capacity` of them, and valid as
 * long as the table. */
struct table *table_create_in(struct tunnel *tunnels, size_t capacity, unsigned workers,
			      const uint8_t seed[static 16]);
void table_free(struct table *t); /* no worker may be inside; NULL is fine */

/* ---- control thread ---- */

/* Adds or replaces the tunnel of c->id. Takes `c` on success; on failure it stays the caller's.
 * Sorts its routes and clamps its MTU. The client's endpoint and epoch survive a change unless the
 * type changes; a static tunnel has its endpoint from `c`. 0; -ERR_EXISTS: a prefix belongs to
 * another tunnel, or is there twice; -ERR_NOMEM: no memory, or all slots are in use. After a failure
 * the table is as it was. */
int table_set(struct table *t, struct tunnel_conf *c) NONNULL MUSTCHECK;
/* False: there is no such tunnel. No packet of a later batch finds it; table_reclaim frees it. */
bool table_delete(struct table *t, uint32_t id) NONNULL;
/* Tunnels that end at a PoP's address (pop_is_peer) lose their endpoint. 0; -ERR_NOMEM: the PoP is as
 * it was. */
int table_set_pop(struct table *t, const struct pop_conf *pop) NONNULL MUSTCHECK;
/* The PoP has no prefixes, as at the beginning. */
void table_clear_pop(struct table *t) NONNULL;
/* Frees retired memory that no worker uses any more; to be called each second. */
void table_reclaim(struct table *t) NONNULL;
size_t table_count(const struct table *t) NONNULL; /* of tunnels */

/* The endpoints of tunnels that are gone; who deletes a tunnel remembers its endpoint there. */
struct gone *table_gone(struct table *t) NONNULL;

/* NULL: there is no such tunnel. */
struct tunnel *table_by_id(struct table *t, uint32_t id) NONNULL;
/* To walk all tunnels: slots 0 to table_slots_used() - 1; the `conf` of a free one is NULL. */
struct tunnel *table_slot(struct table *t, size_t slot) NONNULL;
size_t table_slots_used(const struct table *t) NONNULL;
size_t table_slots(const struct table *t) NONNULL; /* the capacity */

/* Sets what a snapshot or the journal knew of a tunnel's client. A static tunnel keeps its
 * configured endpoint, and older state never replaces newer. False: there is no such tunnel. */
bool table_restore(struct table *t, uint32_t id, const struct tunnel_memory *m) NONNULL;
/* table_set and table_reclaim call `fn` for each slot that has become free: its tunnel was deleted
 * and no worker uses it any more. */
void table_on_free(struct table *t, void (*fn)(void *arg, uint32_t slot), void *arg)
	NONNULL_ARGS(1);

/* A prefix that leads to a tunnel. */
struct table_prefix {
	struct prefix6 prefix;
	uint32_t slot, id; /* of the tunnel */
	bool is_net;       /* it is the tunnel's own /64 */
};
enum table_prefix_change {
	PREFIX_ADDED,   /* packets will find the tunnel by it */
	PREFIX_REMOVED, /* packets find nothing by it any more; the slot is not free yet */
	PREFIX_CHANGED, /* is_net has changed */
};
/* Calls `fn` for each prefix in the table, as added, and from then on for every change. NULL: ends
 * the calls. */
void table_on_prefix(struct table *t,
		     void (*fn)(void *arg, const struct table_prefix *p,
				enum table_prefix_change change),
		     void *arg) NONNULL_ARGS(1);
/* Bytes that the table uses, for the status. */
size_t table_memory(const struct table *t) NONNULL;

/* ---- workers ---- */

/* Around each batch: between enter and leave, everything found stays valid. A worker leaves before
 * it sleeps. */
void table_worker_enter(struct table *t, unsigned worker) NONNULL;
void table_worker_leave(struct table *t, unsigned worker) NONNULL;

const struct pop_conf *table_pop(const struct table *t) NONNULL;

enum route_kind { ROUTE_NONE, ROUTE_TUNNEL_NET, ROUTE_SUBNET };
struct route {
	enum route_kind kind;
	struct tunnel *tunnel;          /* NULL for ROUTE_NONE */
	const struct tunnel_conf *conf; /* the one that has the prefix */
};
/* The longest prefix of any tunnel that contains `ip`. */
struct route table_lookup(const struct table *t, const struct ip6 *ip) NONNULL;
/* The same for `n` addresses, with memory prefetched for all before any is read. A NULL `ip` gives
 * ROUTE_NONE. */
void table_lookup_batch(const struct table *t, const struct ip6 *const *ip, size_t n,
			struct route *out) NONNULL;
/* Sets the addresses of all PoPs; `n` is at most TABLE_POPS. */
void pop_set_peers(struct pop_conf *pop, const struct ip4 *peers, size_t n) NONNULL;
bool pop_search_peers(const struct pop_conf *pop, struct ip4 ip) NONNULL;
static inline uint32_t pop_peer_hash(struct ip4 ip)
{
	return ip.v * UINT32_C(2654435761) >> 22;
}
/* True when `ip` is the IPv4 address of a PoP, this one's included. */
static inline bool pop_is_peer(const struct pop_conf *pop, struct ip4 ip)
{
	uint32_t hash = pop_peer_hash(ip);

	return ip.v == pop->ipv4.v ||
	       (pop->peer_filter[hash / 64] >> hash % 64 & 1 && pop_search_peers(pop, ip));
}
/* True when one of the PoP's prefixes contains `ip`. */
bool pop_owns(const struct pop_conf *pop, const struct ip6 *ip) NONNULL;
/* True when `ip` is popd itself: <a tunnel prefix>:ffff::1. */
bool pop_is(const struct pop_conf *pop, const struct ip6 *ip) NONNULL;

#endif
