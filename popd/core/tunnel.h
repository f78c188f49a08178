/*
 * A tunnel as the data path sees it. `struct tunnel_conf` is immutable once published and replaced
 * as a whole (table.h). `struct tunnel` holds the state that lives as long as the tunnel: a few
 * atomic words that any worker may read and write. A tunnel never changes its slot.
 */
#ifndef POPD_CORE_TUNNEL_H
#define POPD_CORE_TUNNEL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "lib/ip.h"

struct digest_ctx;

enum tunnel_type { TUNNEL_AYIYA, TUNNEL_HEARTBEAT, TUNNEL_STATIC, TUNNEL_TYPE__COUNT };
enum {
	TUNNEL_SECRET_LEN = 32,
	TUNNEL_MTU_MIN = 1280,
	TUNNEL_MTU_MAX = 1480,
	TUNNEL_ROUTES_MAX = 60000
};

/* What the broker configured. The keys are derived once, when the tunnel is loaded. */
struct tunnel_conf {
	uint32_t id;  /* T<id>, 1.. */
	uint8_t type; /* enum tunnel_type */
	bool enabled;
	uint16_t mtu;               /* largest inner packet */
	struct ip6 net;             /* the tunnel's /64; ::1 is the PoP, ::2 the client */
	struct ip4 static_endpoint; /* TUNNEL_STATIC only */
	uint8_t key_sha1[20]; /* sha1(secret text), in AYIYA's signature field while hashing */
	uint8_t key_sha256[32];
	char secret[TUNNEL_SECRET_LEN + 1]; /* text; heartbeats hash it as it is */
	uint16_t route_count;
	struct prefix6 routes[]; /* routed /64 and subnets, without the tunnel's own /64 */
};

/* Flags of the endpoint word. */
enum {
	/* the last valid packet was signed with SHA-256, so packets to the client are, too */
	ENDPOINT_SHA256 = 1,
	/* the client answered there when it was asked (ask.h) */
	ENDPOINT_ANSWERED = 2,
};
/* The endpoint word: address, port and flags in one atomic. 0: none. */
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
	/* the path word (path.h): outer path MTU learned from ICMPv4; 0: none */
	_Atomic uint64_t path;
	_Atomic uint32_t newest;  /* newest epoch from the endpoint (replay.h); 0: none yet */
	_Atomic uint32_t heard;   /* mono_s_t of the last valid packet or heartbeat; 0: never */
	_Atomic uint64_t plain;   /* tunnel_plain of its configuration; 0: free slot */
	_Atomic uint32_t probe;   /* the last probe whose answer was counted (probe.h); 0: none */
	_Atomic uint32_t held;    /* not 0: the fast path leaves its packets to popd */
	atomic_flag lock;         /* taken for the few instructions that change the endpoint */
	_Atomic bool watched;     /* packets are copied for a watcher (port/tap.h) */
	uint32_t slot;            /* own index */
	_Atomic uint32_t highest; /* newest epoch ever accepted (replay.h); 0: none yet */
} CACHE_ALIGNED;

/* What the fast path in the kernel (popd/fastpath/encap41.h) needs of a configuration to
 * encapsulate a packet in protocol 41, as one word: T-id << 32 | MTU << 16 | TUNNEL_PLAIN_*.
 * 0: the tunnel is disabled, or of a type that the fast path does not handle. */
enum { TUNNEL_PLAIN_STATIC = 1 };
uint64_t tunnel_plain(const struct tunnel_conf *c) NONNULL;

/* A zeroed configuration for `routes` routes, with route_count set. The caller's, to be freed by
 * tunnel_conf_free or given to table_set. NULL: no memory, or more than TUNNEL_ROUTES_MAX. */
struct tunnel_conf *tunnel_conf_create(size_t routes) MUSTCHECK;
/* Wipes the secret and the keys and frees the configuration. Nothing else frees one. NULL is fine.
 */
void tunnel_conf_free(struct tunnel_conf *c);
/* Bytes that a configuration takes. */
size_t tunnel_conf_size(const struct tunnel_conf *c) NONNULL;
/* Sets the secret and derives the keys. 0; -ERR_RANGE: longer than TUNNEL_SECRET_LEN; -ERR_SYS:
 * OpenSSL failed. */
int tunnel_conf_set_secret(struct tunnel_conf *c, struct digest_ctx *digest, const char *secret,
			   size_t len) NONNULL MUSTCHECK;

/* Zeroes the secret or a key at the start of `bytes`; also its first 8 bytes or more, and what is
 * there of it when `bytes` ends inside it. For packets that people will see. */
void tunnel_hide_key(const struct tunnel_conf *c, uint8_t *bytes, size_t len) NONNULL;

/* The client's and the PoP's address in the tunnel, and the latter of any /64. */
struct ip6 tunnel_pop_of(const struct ip6 *net) NONNULL;
struct ip6 tunnel_client(const struct tunnel_conf *c) NONNULL;
struct ip6 tunnel_pop(const struct tunnel_conf *c) NONNULL;

/* ---- for the table, on the control thread ---- */

/* Publishes a configuration and sets what depends on it. `old`: the one it replaces; NULL: the
 * tunnel is new. `fixed`: the endpoint word of a static tunnel; 0: it has none. */
void tunnel_publish(struct tunnel *t, const struct tunnel_conf *c, const struct tunnel_conf *old,
		    uint64_t fixed) NONNULL_ARGS(1, 2);
/* Sets the endpoint word to that of a static tunnel, or to 0, and forgets what was learnt with the one
 * before. */
void tunnel_set_endpoint(struct tunnel *t, uint64_t endpoint) NONNULL;
/* What a snapshot or a journal knew of a tunnel's client. */
struct tunnel_memory {
	uint64_t endpoint;        /* the endpoint word */
	uint32_t newest, highest; /* epochs */
	mono_s_t heard;
};
/* Sets it, unless the tunnel knows something newer. */
void tunnel_restore(struct tunnel *t, const struct tunnel_conf *c, const struct tunnel_memory *m)
	NONNULL;
/* What is worth to be remembered of a tunnel. Any thread. */
struct tunnel_memory tunnel_memory(const struct tunnel *t) NONNULL;
/* Clears the state of a deleted tunnel. */
void tunnel_forget(struct tunnel *t) NONNULL;
/* True when a tunnel with this configuration may learn this endpoint word. */
bool tunnel_accepts_endpoint(const struct tunnel_conf *c, uint64_t endpoint) NONNULL;

/* ---- for everybody ---- */

/* Around a change of the endpoint and the words that belong to it. */
static inline void tunnel_lock(struct tunnel *t)
{
	while (atomic_flag_test_and_set_explicit(&t->lock, memory_order_acquire))
		;
}
static inline void tunnel_unlock(struct tunnel *t)
{
	atomic_flag_clear_explicit(&t->lock, memory_order_release);
}

/* Notes that a valid packet arrived. It writes once a second only, so that the cache line stays
 * shared among the workers. */
static inline void tunnel_heard(struct tunnel *t, mono_s_t now)
{
	if (atomic_load_explicit(&t->heard, memory_order_relaxed) != now.s)
		atomic_store_explicit(&t->heard, now.s, memory_order_relaxed);
}
static inline mono_s_t tunnel_last_heard(const struct tunnel *t)
{
	return (mono_s_t){ atomic_load_explicit(&t->heard, memory_order_relaxed) };
}

/* Up: enabled, with an endpoint and, unless static, heard from within the last `expiry` seconds. */
bool tunnel_is_up(const struct tunnel *t, const struct tunnel_conf *c, mono_s_t now,
		  uint32_t expiry) NONNULL;

/* It has an endpoint from which it was heard within the last `expiry` seconds, whatever its type. */
bool tunnel_is_heard(const struct tunnel *t, mono_s_t now, uint32_t expiry) NONNULL;
/* Its endpoint has this address. */
bool tunnel_is_at(const struct tunnel *t, struct ip4 addr) NONNULL;

const char *tunnel_type_name(enum tunnel_type t); /* "ayiya", "heartbeat", "static" */
int tunnel_type_parse(const char *name, enum tunnel_type *out) NONNULL MUSTCHECK;

#endif
