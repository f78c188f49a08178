/*
 * A tunnel as the data path sees it. `struct tunnel_conf` is immutable once published and replaced
 * whole (table.h); `struct tunnel` is the part that lives as long as the tunnel: a few atomic words
 * that any worker may read and write. A slot never moves while its tunnel exists.
 */
#ifndef POPD_CORE_TUNNEL_H
#define POPD_CORE_TUNNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"

struct digest_ctx;

enum tunnel_type { TUNNEL_AYIYA, TUNNEL_HEARTBEAT, TUNNEL_STATIC, TUNNEL_TYPE__COUNT };
enum {
	TUNNEL_SECRET_LEN = 32,
	TUNNEL_MTU_MIN = 1280,
	TUNNEL_MTU_MAX = 1480,
	TUNNEL_ROUTES_MAX = 60000
};

/* What the broker configured. Keys are derived once at load, so that no packet costs more than its
 * own hash. */
struct tunnel_conf {
	uint32_t id;  /* T<id>, 1.. */
	uint8_t type; /* enum tunnel_type */
	bool enabled;
	uint16_t mtu;               /* largest inner packet */
	struct ip6 net;             /* the tunnel's /64; ::1 is the PoP, ::2 the client */
	struct ip4 static_endpoint; /* TUNNEL_STATIC only */
	uint8_t key_sha1[20];       /* sha1(secret text), what AYIYA puts in the signature field */
	uint8_t key_sha256[32];
	char secret[TUNNEL_SECRET_LEN + 1]; /* heartbeats hash the text itself */
	uint16_t route_count;
	struct prefix6 routes[]; /* routed /64 and subnets, not the tunnel's own /64 */
};

/* The endpoint word: address, port and what goes with them, written and read as one. 0: none. */
enum {
	ENDPOINT_SHA256 = 1
}; /* flag: the last valid packet was signed with SHA-256, answer in kind */
static inline uint64_t endpoint_pack(struct endpoint4 e, unsigned flags)
{
	return (uint64_t)e.addr.v << 32 | (uint64_t)e.port << 16 | (flags & 0xffff);
}
static inline struct endpoint4 endpoint_of(uint64_t word)
{
	return (struct endpoint4){ { (uint32_t)(word >> 32) }, (uint16_t)(word >> 16) };
}
static inline unsigned endpoint_flags(uint64_t word)
{
	return (unsigned)(word & 0xffff);
}

struct tunnel {
	_Atomic(const struct tunnel_conf *) conf; /* NULL: free slot */
	_Atomic uint64_t endpoint;                /* the endpoint word */
	/* the path word (path.h): outer path MTU learnt from ICMPv4; 0: none */
	_Atomic uint64_t path;
	_Atomic uint32_t newest; /* newest accepted epoch (replay.h); 0: none yet */
	_Atomic uint32_t heard;  /* wall second of the last valid packet or beat; 0: never */
	_Atomic uint64_t plain;  /* tunnel_plain of its configuration; 0: free slot */
	_Atomic uint32_t probe;  /* the last probe whose answer was counted (probe.h); 0: none */
	_Atomic uint32_t held;   /* not 0: its every packet must come by popd, no fast path */
	atomic_flag moving;      /* held for the few instructions in which an endpoint moves */
	/* somebody follows its packets (port/tap.h); the control thread's to set */
	_Atomic bool watched;
	uint32_t slot; /* own index */
} CACHE_ALIGNED;

/* All of a configuration that it takes to wrap an ordinary packet in protocol 41, as one word for
 * the fast path in the kernel (popd/fastpath/encap41.h): T-id << 32 | MTU << 16 | TUNNEL_PLAIN_*.
 * 0: disabled, or of a type that is not so easy.
 * */
enum { TUNNEL_PLAIN_STATIC = 1 };
uint64_t tunnel_plain(const struct tunnel_conf *c) NONNULL;

/* A configuration with room for `routes` routes: zeroed, route_count set. NULL: no memory. Freed by
 * free(), or taken by table_set. */
struct tunnel_conf *tunnel_conf_create(size_t routes);
/* Sets the secret and the keys that come of it. 0; -ERR_RANGE: longer than TUNNEL_SECRET_LEN;
 * -ERR_SYS: no digest to be had. */
int tunnel_conf_set_secret(struct tunnel_conf *c, struct digest_ctx *digest, const char *secret,
			   size_t len) NONNULL MUSTCHECK;

/* Writes zeros over the secret, or a key that comes of it, where `len` bytes of a packet that is to
 * be shown begin with it or with a good part of it. */
void tunnel_hide_key(const struct tunnel_conf *c, uint8_t *bytes, size_t len) NONNULL;

/* The client's and the PoP's address in the tunnel. */
struct ip6 tunnel_client(const struct tunnel_conf *c) NONNULL;
struct ip6 tunnel_pop(const struct tunnel_conf *c) NONNULL;

/* For the table, on the control thread: a change of configuration (`old` NULL: the tunnel is new),
 * with all that depends on it; what a snapshot knew; a slot that is free again. */
void tunnel_publish(struct tunnel *t, const struct tunnel_conf *c, const struct tunnel_conf *old)
	NONNULL_ARGS(1, 2);
void tunnel_restore(struct tunnel *t, const struct tunnel_conf *c, uint64_t endpoint,
		    uint32_t newest, uint32_t heard) NONNULL;
void tunnel_forget(struct tunnel *t) NONNULL;
/* True when a tunnel like `c` may have this endpoint word. */
bool tunnel_can_have(const struct tunnel_conf *c, uint64_t endpoint) NONNULL;

/* Around a change of the endpoint and what belongs to it. */
static inline void tunnel_lock(struct tunnel *t)
{
	while (atomic_flag_test_and_set_explicit(&t->moving, memory_order_acquire))
		;
}
static inline void tunnel_unlock(struct tunnel *t)
{
	atomic_flag_clear_explicit(&t->moving, memory_order_release);
}

/* A valid packet has come. Written when it changes, so that the line stays shared among the
 * workers' caches for the rest of the second. */
static inline void tunnel_heard(struct tunnel *t, uint32_t now)
{
	if (atomic_load_explicit(&t->heard, memory_order_relaxed) != now)
		atomic_store_explicit(&t->heard, now, memory_order_relaxed);
}

/* Up: enabled, has an endpoint, and (but for static ones) heard from within `expiry` seconds of
 * `now` (wall seconds). */
bool tunnel_is_up(const struct tunnel *t, const struct tunnel_conf *c, uint32_t now,
		  uint32_t expiry) NONNULL;

const char *tunnel_type_name(enum tunnel_type t); /* "ayiya", "heartbeat", "static" */
int tunnel_type_parse(const char *name, enum tunnel_type *out) NONNULL MUSTCHECK;

#endif
