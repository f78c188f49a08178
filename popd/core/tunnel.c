#include "popd/core/tunnel.h"

#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/err.h"

_Static_assert(sizeof(struct tunnel) == 64, "one cache line a tunnel");

static const char *const type_names[] = {
	[TUNNEL_AYIYA] = "ayiya",
	[TUNNEL_HEARTBEAT] = "heartbeat",
	[TUNNEL_STATIC] = "static",
};
_Static_assert(ARRAY_LEN(type_names) == TUNNEL_TYPE__COUNT, "every type has a name");

struct tunnel_conf *tunnel_conf_create(size_t routes)
{
	if (routes > TUNNEL_ROUTES_MAX)
		return NULL;
	struct tunnel_conf *c = calloc(1, sizeof(*c) + routes * sizeof(c->routes[0]));
	if (c)
		c->route_count = (uint16_t)routes;
	return c;
}

void tunnel_conf_free(struct tunnel_conf *c)
{
	if (c)
		secure_zero(c, tunnel_conf_size(c));
	free(c);
}

size_t tunnel_conf_size(const struct tunnel_conf *c)
{
	return sizeof(*c) + c->route_count * sizeof(c->routes[0]);
}

int tunnel_conf_set_secret(struct tunnel_conf *c, struct digest_ctx *digest_ctx, const char *secret,
			   size_t len)
{
	if (len > TUNNEL_SECRET_LEN)
		return -ERR_RANGE;
	memset(c->secret, 0, sizeof(c->secret));
	memcpy(c->secret, secret, len);
	if (!digest(digest_ctx, DIGEST_SHA1, secret, len, c->key_sha1) ||
	    !digest(digest_ctx, DIGEST_SHA256, secret, len, c->key_sha256))
		return -ERR_SYS;
	return 0;
}

void tunnel_hide_key(const struct tunnel_conf *c, uint8_t *bytes, size_t len)
{
	enum { KEY_PART_MIN = 8 }; /* fewer bytes in common may be chance */
	const struct {
		const void *key;
		size_t len;
	} keys[] = {
		{ c->key_sha1, sizeof(c->key_sha1) },
		{ c->key_sha256, sizeof(c->key_sha256) },
		{ c->secret, strlen(c->secret) },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const uint8_t *key = keys[i].key;
		size_t max = keys[i].len < len ? keys[i].len : len, n = 0;
		while (n < max && bytes[n] == key[n])
			n++;
		if (n > 0 && (n == max || n >= KEY_PART_MIN))
			memset(bytes, 0, n);
	}
}

static struct ip6 host_of(const struct ip6 *net, uint8_t number)
{
	struct ip6 ip = *net;

	ip.b[15] = number;
	return ip;
}

struct ip6 tunnel_pop_of(const struct ip6 *net)
{
	return host_of(net, 1);
}

struct ip6 tunnel_client(const struct tunnel_conf *c)
{
	return host_of(&c->net, 2);
}

struct ip6 tunnel_pop(const struct tunnel_conf *c)
{
	return host_of(&c->net, 1);
}

static void set_state(struct tunnel *t, const struct tunnel_memory *m)
{
	atomic_store_explicit(&t->endpoint, m->endpoint, memory_order_relaxed);
	atomic_store_explicit(&t->newest, m->newest, memory_order_relaxed);
	atomic_store_explicit(&t->highest, m->highest, memory_order_relaxed);
	atomic_store_explicit(&t->heard, m->heard.s, memory_order_relaxed);
	atomic_store_explicit(&t->path, 0, memory_order_relaxed);
	atomic_store_explicit(&t->probe, 0, memory_order_relaxed);
}

uint64_t tunnel_plain(const struct tunnel_conf *c)
{
	if (!c->enabled || c->type == TUNNEL_AYIYA)
		return 0;
	return (uint64_t)c->id << 32 | (uint64_t)c->mtu << 16 |
	       (c->type == TUNNEL_STATIC ? TUNNEL_PLAIN_STATIC : 0);
}

/* The plain word is 0 while the endpoint changes: the fast path must not use the new one with the
 * old configuration. */
void tunnel_publish(struct tunnel *t, const struct tunnel_conf *c, const struct tunnel_conf *old,
		    uint64_t fixed)
{
	bool is_static = c->type == TUNNEL_STATIC;

	tunnel_lock(t);
	atomic_store(&t->plain, 0);
	atomic_store(&t->conf, c);
	if (!old || old->type != c->type ||
	    (is_static && atomic_load_explicit(&t->endpoint, memory_order_relaxed) != fixed))
		set_state(t, &(struct tunnel_memory){ .endpoint = is_static ? fixed : 0 });
	atomic_store(&t->plain, tunnel_plain(c));
	tunnel_unlock(t);
}

void tunnel_set_endpoint(struct tunnel *t, uint64_t endpoint)
{
	tunnel_lock(t);
	if (atomic_load_explicit(&t->endpoint, memory_order_relaxed) != endpoint)
		set_state(t, &(struct tunnel_memory){ .endpoint = endpoint });
	tunnel_unlock(t);
}

bool tunnel_accepts_endpoint(const struct tunnel_conf *c, uint64_t endpoint)
{
	struct endpoint4 e = endpoint_of(endpoint);

	if (c->type == TUNNEL_STATIC || ip4_is_martian(e.addr))
		return false;
	unsigned method = endpoint_flags(endpoint) & ~(unsigned)ENDPOINT_ANSWERED;
	return c->type == TUNNEL_AYIYA ? e.port != 0 && method <= ENDPOINT_SHA256
				       : e.port == 0 && method == 0;
}

/* An endpoint may move without a higher epoch: of two such states the one heard from later is
 * newer. */
static bool is_newer(const struct tunnel_memory *m, const struct tunnel *t)
{
	uint32_t highest = atomic_load_explicit(&t->highest, memory_order_relaxed);

	return m->highest > highest ||
	       (m->highest == highest && m->heard.s >= tunnel_last_heard(t).s);
}

void tunnel_restore(struct tunnel *t, const struct tunnel_conf *c, const struct tunnel_memory *m)
{
	tunnel_lock(t);
	if (c->type == TUNNEL_STATIC) {
		if (m->heard.s > tunnel_last_heard(t).s)
			atomic_store_explicit(&t->heard, m->heard.s, memory_order_relaxed);
	} else if (tunnel_accepts_endpoint(c, m->endpoint) && is_newer(m, t)) {
		set_state(t, m);
	}
	tunnel_unlock(t);
}

/* The highest epoch is read first: if the client moves between the reads, the older one is
 * remembered, and the client's next packet is accepted. */
struct tunnel_memory tunnel_memory(const struct tunnel *t)
{
	struct tunnel_memory m;

	m.highest = atomic_load(&t->highest);
	m.newest = atomic_load(&t->newest);
	m.endpoint = atomic_load(&t->endpoint);
	m.heard = tunnel_last_heard(t);
	return m;
}

void tunnel_forget(struct tunnel *t)
{
	set_state(t, &(struct tunnel_memory){ .endpoint = 0 });
	atomic_store_explicit(&t->held, 0, memory_order_relaxed);
	atomic_store_explicit(&t->watched, false, memory_order_relaxed);
}

bool tunnel_is_heard(const struct tunnel *t, mono_s_t now, uint32_t expiry)
{
	if (atomic_load_explicit(&t->endpoint, memory_order_relaxed) == 0)
		return false;
	/* `heard` is later than `now` when another worker has read its clock since. */
	mono_s_t heard = tunnel_last_heard(t);
	return heard.s >= now.s || now.s - heard.s <= expiry;
}

bool tunnel_is_at(const struct tunnel *t, struct ip4 addr)
{
	uint64_t endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed);

	return endpoint_of(endpoint).addr.v == addr.v;
}

bool tunnel_is_up(const struct tunnel *t, const struct tunnel_conf *c, mono_s_t now,
		  uint32_t expiry)
{
	if (!c->enabled || atomic_load_explicit(&t->endpoint, memory_order_relaxed) == 0)
		return false;
	/* `heard` is later than `now` when another worker has read its clock since. */
	mono_s_t heard = tunnel_last_heard(t);
	return c->type == TUNNEL_STATIC || heard.s >= now.s || now.s - heard.s <= expiry;
}

const char *tunnel_type_name(enum tunnel_type t)
{
	return (unsigned)t < TUNNEL_TYPE__COUNT ? type_names[t] : "?";
}

int tunnel_type_parse(const char *name, enum tunnel_type *out)
{
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++) {
		if (strcmp(name, type_names[i]) == 0) {
			*out = (enum tunnel_type)i;
			return 0;
		}
	}
	return -ERR_UNKNOWN;
}
