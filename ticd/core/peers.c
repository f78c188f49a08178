#include "ticd/core/peers.h"

#include <stdlib.h>
#include <string.h>

enum {
	BUCKETS = 4096
}; /* a power of two; 10,000 connections from as many addresses make chains of two or three */

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
	if (peers == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct peer *p = peers->buckets[i], *next; p != NULL; p = next) {
			next = p->next;
			free(p);
		}
	}
	free(peers);
}

/* One host has a whole /64 of IPv6 to itself, but only one IPv4 address. */
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
	while (*at != NULL && !ip6_equal(&(*at)->key, key))
		at = &(*at)->next;
	return at;
}

bool peers_enter(struct peers *peers, const struct ip6 *ip, unsigned max)
{
	struct ip6 key = key_of(ip);
	struct peer **at = find(peers, &key);

	if (*at == NULL) {
		*at = calloc(1, sizeof(**at));
		if (*at == NULL)
			return false;
		(*at)->key = key;
	}
	if ((*at)->count >= max)
		return false;
	(*at)->count++;
	return true;
}

void peers_leave(struct peers *peers, const struct ip6 *ip)
{
	struct ip6 key = key_of(ip);
	struct peer **at = find(peers, &key);
	struct peer *p = *at;

	if (p != NULL && --p->count == 0) {
		*at = p->next;
		free(p);
	}
}

unsigned peers_count(struct peers *peers, const struct ip6 *ip)
{
	struct ip6 key = key_of(ip);
	const struct peer *p = *find(peers, &key);

	return p != NULL ? p->count : 0;
}
