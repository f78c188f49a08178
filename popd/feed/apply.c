#include "popd/feed/apply.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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

/* Takes `c`. With `may_wait`, one whose prefix belongs to another tunnel is kept for later. */
static void set(struct apply *a, struct tunnel_conf *c, bool may_wait)
{
	uint32_t id = c->id;
	int err = table_set(a->table, c);

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
	(void)table_delete(a->table, id);
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
			deleted += table_delete(a->table, c->id);
	}
	apply_settle(a);
	return deleted;
}

uint64_t apply_refused(const struct apply *a)
{
	return a->refused;
}
