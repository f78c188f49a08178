#include "ticd/core/peers.h"

#include <stdlib.h>
#include <stdint.h>
#include <string.h>

#include "lib/err.h"

/* A power of two; 10,000 connections from as many addresses make chains of two or three. */
enum { BUCKETS = 4096 };

struct peer {
	struct peer *next;
	struct ip6 key;
	unsigned count;
};

struct peers {
	struct peer *buckets[BUCKETS];
};

struct peers *peers_create(void)
{
	return calloc(1, sizeof(struct peers));
}

void peers_free(struct peers *peers)
{
	if (!peers)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct peer *p = peers->buckets[i], *next; p; p = next) {
			next = p->next;
			free(p);
		}
	}
	free(peers);
}

/* A host has one IPv4 address, but a whole /64 of IPv6 to itself. */
static struct ip6 key_of(const struct ip6 *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(ip->b, mapped, sizeof(mapped)) == 0 ? *ip : ip6_mask(ip, 64);
}

static struct peer **find(struct peers *peers, const struct ip6 *key)
{
	uint32_t hash = 2166136261u; /* FNV-1a */
	struct peer **at;

	for (size_t i = 0; i < sizeof(key->b); i++)
		hash = (hash ^ key->b[i]) * 16777619u;
	at = &peers->buckets[(hash ^ hash >> 16) % BUCKETS];
	while (*at && !ip6_equal(&(*at)->key, key))
		at = &(*at)->next;
	return at;
}

int peers_enter(struct peers *peers, const struct ip6 *ip, unsigned max)
{
	struct ip6 key = key_of(ip);
	struct peer **at = find(peers, &key);

	if (max == 0 || (*at && (*at)->count >= max))
		return -ERR_BUSY;
	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return -ERR_NOMEM;
		(*at)->key = key;
	}
	(*at)->count++;
	return 0;
}

void peers_leave(struct peers *peers, const struct ip6 *ip)
{
	struct ip6 key = key_of(ip);
	struct peer **at = find(peers, &key);
	struct peer *p = *at;

	if (p && --p->count == 0) {
		*at = p->next;
		free(p);
	}
}
