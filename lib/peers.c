#include "lib/peers.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/err.h"

/* A power of two; 10,000 connections from as many addresses make chains of two or three. */
enum { BUCKETS = 4096 };

struct entry {
	struct entry *next;
	struct prefix6 key;
	unsigned count;
};

struct peers {
	struct entry *buckets[BUCKETS];
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
		for (struct entry *e = peers->buckets[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	}
	free(peers);
}

static size_t bucket_of(const struct prefix6 *key)
{
	uint32_t hash = 2166136261u ^ key->len; /* FNV-1a */

	for (size_t i = 0; i < sizeof(key->addr.b); i++)
		hash = (hash ^ key->addr.b[i]) * 16777619u;
	return (hash ^ hash >> 16) % BUCKETS;
}

static struct entry **find(struct peers *peers, const struct prefix6 *key)
{
	struct entry **at = &peers->buckets[bucket_of(key)];

	while (*at && !prefix6_equal(&(*at)->key, key))
		at = &(*at)->next;
	return at;
}

static unsigned count_of(const struct peers *peers, const struct prefix6 *key)
{
	const struct entry *e = peers->buckets[bucket_of(key)];

	while (e && !prefix6_equal(&e->key, key))
		e = e->next;
	return e ? e->count : 0;
}

static unsigned max_of(const struct peers_max *max, const struct prefix6 *key)
{
	return key->len == 48 ? max->net48 : key->len == 56 ? max->net56 : max->address;
}

bool peers_has_room(const struct peers *peers, const struct ip6 *ip, const struct peers_max *max,
		    struct prefix6 *full)
{
	struct prefix6 prefixes[PEER_PREFIXES];
	size_t n = peer_prefixes(ip, prefixes);

	for (size_t i = 0; i < n; i++) {
		unsigned most = max_of(max, &prefixes[i]);

		if (most == 0 || count_of(peers, &prefixes[i]) < most)
			continue;
		*full = prefixes[i];
		return false;
	}
	return true;
}

static void leave(struct peers *peers, const struct prefix6 *key)
{
	struct entry **at = find(peers, key);
	struct entry *e = *at;

	if (e && --e->count == 0) {
		*at = e->next;
		free(e);
	}
}

int peers_enter(struct peers *peers, const struct ip6 *ip)
{
	struct prefix6 prefixes[PEER_PREFIXES];
	size_t n = peer_prefixes(ip, prefixes);

	for (size_t i = 0; i < n; i++) {
		struct entry **at = find(peers, &prefixes[i]);

		if (!*at && (*at = calloc(1, sizeof(**at))))
			(*at)->key = prefixes[i];
		if (*at) {
			(*at)->count++;
			continue;
		}
		while (i-- > 0)
			leave(peers, &prefixes[i]);
		return -ERR_NOMEM;
	}
	return 0;
}

void peers_leave(struct peers *peers, const struct ip6 *ip)
{
	struct prefix6 prefixes[PEER_PREFIXES];
	size_t n = peer_prefixes(ip, prefixes);

	for (size_t i = 0; i < n; i++)
		leave(peers, &prefixes[i]);
}
