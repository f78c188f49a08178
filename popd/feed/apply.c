#include "popd/feed/apply.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"

enum { WAITING_MAX = 4096 };

struct apply {
	struct table *table;
	struct digest_ctx *digest;
	uint8_t *named; /* by slot: a row of the full load has named its tunnel */
	struct tunnel_conf *waiting[WAITING_MAX];
	size_t waiting_count;
	uint64_t refused;
	struct log_limit limit;
};

struct apply *apply_create(struct table *t, struct digest_ctx *digest)
{
	struct apply *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->table = t;
	a->digest = digest;
	a->named = calloc(table_slots(t), 1);
	if (a->named)
		return a;
	free(a);
	return NULL;
}

void apply_free(struct apply *a)
{
	if (!a)
		return;
	apply_drop_waiting(a);
	free(a->named);
	free(a);
}

void apply_drop_waiting(struct apply *a)
{
	for (size_t i = 0; i < a->waiting_count; i++)
		tunnel_conf_free(a->waiting[i]);
	a->waiting_count = 0;
}

void apply_begin_load(struct apply *a)
{
	apply_drop_waiting(a);
	memset(a->named, 0, table_slots(a->table));
}

static void refuse_tunnel(struct apply *a, uint32_t id, const char *why)
{
	a->refused++;
	log_limited(&a->limit, 20, 60, LOG_LEVEL_WARN,
		    "the database's row of tunnel T%" PRIu32
		    " is refused and the tunnel stays as it was: %s",
		    id, why);
}

void apply_refuse(struct apply *a, const char *why)
{
	a->refused++;
	log_limited(&a->limit, 20, 60, LOG_LEVEL_WARN,
		    "a row of the database's feed is refused: %s", why);
}

static void name(struct apply *a, uint32_t id)
{
	const struct tunnel *t = table_by_id(a->table, id);

	if (t)
		a->named[t->slot] = 1;
}

static void remember(struct apply *a, struct ip4 endpoint, const struct ip6 *net)
{
	gone_remember(table_gone(a->table), endpoint, net, (uint32_t)(mono_us_now().us / 1000000));
}

static bool delete (struct apply *a, uint32_t id)
{
	const struct tunnel *t = table_by_id(a->table, id);
	const struct tunnel_conf *c = t ? atomic_load(&t->conf) : NULL;

	if (c && c->type == TUNNEL_STATIC)
		remember(a, c->static_endpoint, &c->net);
	return table_delete(a->table, id);
}

/* A protocol-41 tunnel that becomes one of another type leaves a client that does not know. */
static int set_in_table(struct apply *a, struct tunnel_conf *c)
{
	const struct tunnel *t = table_by_id(a->table, c->id);
	const struct tunnel_conf *old = t ? atomic_load(&t->conf) : NULL;
	bool ends = old && old->type != c->type && old->type != TUNNEL_AYIYA;
	struct ip4 endpoint = { 0 };
	struct ip6 net = c->net;

	if (ends) {
		endpoint = endpoint_of(atomic_load(&t->endpoint)).addr;
		net = old->net;
	}
	int err = table_set(a->table, c);
	if (!err && ends)
		remember(a, endpoint, &net);
	return err;
}

/* Takes `c`. With `may_wait`, one whose prefix belongs to another tunnel is kept for later. */
static void set(struct apply *a, struct tunnel_conf *c, bool may_wait)
{
	uint32_t id = c->id;
	int err = set_in_table(a, c);

	if (!err)
		return;
	if (err == -ERR_EXISTS && may_wait && a->waiting_count < WAITING_MAX) {
		a->waiting[a->waiting_count++] = c;
		return;
	}
	tunnel_conf_free(c);
	refuse_tunnel(a, id,
		      err == -ERR_EXISTS ? "one of its prefixes belongs to another tunnel"
					 : "no memory, or max_tunnels is reached");
}

/* A later row of the same tunnel replaces the one that waits. */
static void drop_waiting_of(struct apply *a, uint32_t id)
{
	size_t kept = 0;

	for (size_t i = 0; i < a->waiting_count; i++) {
		if (a->waiting[i]->id == id)
			tunnel_conf_free(a->waiting[i]);
		else
			a->waiting[kept++] = a->waiting[i];
	}
	a->waiting_count = kept;
}

void apply_set(struct apply *a, const struct feedrow_tunnel *row)
{
	char why[FEEDROW_WHY];
	uint32_t id;
	struct tunnel_conf *c = feedrow_parse_tunnel(row, a->digest, &id, why);

	drop_waiting_of(a, id);
	if (c)
		set(a, c, true);
	else if (id > 0)
		refuse_tunnel(a, id, why);
	else
		apply_refuse(a, why);
	name(a, id);
}

void apply_delete(struct apply *a, uint32_t id)
{
	drop_waiting_of(a, id);
	(void)delete (a, id);
}

/* Tries every waiting one; those that must go on waiting do. */
static void retry_waiting(struct apply *a, bool may_wait)
{
	size_t n = a->waiting_count;

	a->waiting_count = 0;
	for (size_t i = 0; i < n; i++)
		set(a, a->waiting[i], may_wait);
}

/* Each tunnel that is set may free a prefix that another one waits for. */
void apply_settle(struct apply *a)
{
	for (size_t before = SIZE_MAX; a->waiting_count > 0 && a->waiting_count < before;) {
		before = a->waiting_count;
		retry_waiting(a, true);
	}
	retry_waiting(a, false);
}

/* The deletions come first: they free prefixes that waiting tunnels have now. */
size_t apply_end_load(struct apply *a)
{
	size_t slots = table_slots_used(a->table), deleted = 0;

	for (size_t i = 0; i < slots; i++) {
		const struct tunnel_conf *c = atomic_load_explicit(&table_slot(a->table, i)->conf,
								   memory_order_relaxed);
		if (c && !a->named[i])
			deleted += delete (a, c->id);
	}
	apply_settle(a);
	return deleted;
}

uint64_t apply_refused(const struct apply *a)
{
	return a->refused;
}
