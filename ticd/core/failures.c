/*
 * Sets of WAYS records, found by a hash of the prefix. A record is a bucket that leaks: it holds as
 * many failures as FAILURES_FORGET_MS fit between now and `empty_at`.
 *
 * Whoever has many prefixes can fill sets and so push out records with few failures, but the /48s
 * that lie above its prefixes have many.
 */
#include "ticd/core/failures.h"

#include <stdbool.h>
#include <stdlib.h>

#include "lib/peer.h"

enum { SETS = 1024, WAYS = 8 };

struct record {
	struct prefix6 prefix;
	mono_t empty_at;
};

struct failures {
	struct record records[SETS][WAYS];
};

struct failures *failures_create(void)
{
	return calloc(1, sizeof(struct failures));
}

void failures_free(struct failures *failures)
{
	free(failures);
}

static size_t set_of(const struct prefix6 *prefix)
{
	uint32_t hash = 2166136261u ^ prefix->len; /* FNV-1a */

	for (size_t i = 0; i < sizeof(prefix->addr.b); i++)
		hash = (hash ^ prefix->addr.b[i]) * 16777619u;
	return (hash ^ hash >> 16) % SETS;
}

static unsigned count_of(const struct record *record, mono_t now)
{
	int64_t left = mono_since(record->empty_at, now);

	return left > 0 ? (unsigned)((left + FAILURES_FORGET_MS - 1) / FAILURES_FORGET_MS) : 0;
}

/* The prefix's record, else the one of its set with the fewest failures. */
static const struct record *find(const struct record *set, const struct prefix6 *prefix)
{
	const struct record *least = set;

	for (size_t i = 0; i < WAYS; i++) {
		if (prefix6_equal(&set[i].prefix, prefix))
			return &set[i];
		if (mono_since(set[i].empty_at, least->empty_at) < 0)
			least = &set[i];
	}
	return least;
}

static int64_t delay_of(unsigned count)
{
	int64_t delay = count > FAILURES_FREE ? (int64_t)(count - FAILURES_FREE) * FAILURES_STEP_MS
					      : 0;

	return delay < FAILURES_DELAY_MAX_MS ? delay : FAILURES_DELAY_MAX_MS;
}

struct failures_record failures_of(const struct failures *failures, const struct ip6 *ip,
				   mono_t now)
{
	struct prefix6 prefixes[PEER_PREFIXES];
	size_t n = peer_prefixes(ip, prefixes);
	struct failures_record most = { .prefix = prefixes[0] };

	for (size_t i = 0; i < n; i++) {
		const struct record *r = find(failures->records[set_of(&prefixes[i])],
					      &prefixes[i]);
		unsigned count = prefix6_equal(&r->prefix, &prefixes[i]) ? count_of(r, now) : 0;

		if (count > most.count)
			most = (struct failures_record){ .count = count, .prefix = r->prefix };
	}
	most.delay_ms = delay_of(most.count);
	return most;
}

static void add(struct record *set, const struct prefix6 *prefix, mono_t now)
{
	struct record *r = set + (find(set, prefix) - set);

	if (!prefix6_equal(&r->prefix, prefix))
		*r = (struct record){ .prefix = *prefix, .empty_at = now };
	if (mono_since(r->empty_at, now) < 0)
		r->empty_at = now;
	if (count_of(r, now) < FAILURES_MAX)
		r->empty_at.ms += FAILURES_FORGET_MS;
}

void failures_add(struct failures *failures, const struct ip6 *ip, mono_t now)
{
	struct prefix6 prefixes[PEER_PREFIXES];
	size_t n = peer_prefixes(ip, prefixes);

	for (size_t i = 0; i < n; i++)
		add(failures->records[set_of(&prefixes[i])], &prefixes[i], now);
}
