/*
 * What a slot's counters were at the last stats_collect is kept in two arrays: sums, which change
 * with every packet, and drops by reason, which few tunnels have. Both use memory only for slots in
 * use.
 */
#include "popd/report/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/pages.h"
#include "popd/core/view.h"

enum { SECONDS_A_DAY = 86400 };

/* Sums of all workers. `drops` and drops by reason wrap around, as the counters do. */
struct seen {
	uint64_t packets_in, bytes_in, packets_out, bytes_out, rtt_sum_us;
	uint32_t sent, received, drops;
	uint32_t hint; /* of the slot's entry in the statbook; not compared */
};

struct reasons {
	uint32_t count[DROP__COUNT];
};

/* Of the drops that the PoP counted, those that are in the books, for a tunnel or for none. */
struct booked {
	uint64_t count[DROP__COUNT];
	uint32_t hint;
};

struct stats {
	size_t slots;
	struct seen *seen;
	struct reasons *reasons;
	struct booked booked;
	struct statbook *book;
	struct dropbook *drops;
	struct stats_batch batch;
};

struct stats *stats_create(size_t slots, size_t a_slot, size_t drops_a_slot)
{
	struct stats *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->slots = slots;
	s->seen = pages_alloc(slots, sizeof(*s->seen));
	s->reasons = pages_alloc(slots, sizeof(*s->reasons));
	s->book = statbook_create(slots * a_slot);
	s->drops = dropbook_create(slots * drops_a_slot);
	if (!s->seen || !s->reasons || !s->book || !s->drops) {
		stats_free(s);
		return NULL;
	}
	return s;
}

void stats_free(struct stats *s)
{
	if (!s)
		return;
	pages_free(s->seen, s->slots, sizeof(*s->seen));
	pages_free(s->reasons, s->slots, sizeof(*s->reasons));
	statbook_free(s->book);
	dropbook_free(s->drops);
	free(s);
}

/* ---- collecting ---- */

static struct seen seen_of(const struct view_tunnel *v)
{
	struct seen now = {
		.packets_in = v->packets_in,
		.bytes_in = v->bytes_in,
		.packets_out = v->packets_out,
		.bytes_out = v->bytes_out,
		.rtt_sum_us = v->rtt_sum_us,
		.sent = v->sent,
		.received = v->received,
	};
	for (size_t i = 0; i < DROP__COUNT; i++)
		now.drops += (uint32_t)v->drops[i];
	return now;
}

static bool same(const struct seen *a, const struct seen *b)
{
	return memcmp(a, b, offsetof(struct seen, hint)) == 0;
}
_Static_assert(offsetof(struct seen, hint) == 5 * 8 + 3 * 4, "memcmp must not meet padding");

/* A counter that is less than it was began again at 0. */
static uint64_t grown(uint64_t now, uint64_t then)
{
	return now >= then ? now - then : now;
}

/* Counters are read more often than a tunnel is probed, so there is usually one round trip at most,
 * and shortest and longest are exact. With several both are their mean. */
static void add_growth(struct statbook_entry *e, const struct seen *now, const struct seen *then)
{
	uint64_t growth[MEASURE__TUNNEL] = {
		[MEASURE_SENT] = now->sent - then->sent,
		[MEASURE_RECEIVED] = now->received - then->received,
		[MEASURE_RTT_SUM] = grown(now->rtt_sum_us, then->rtt_sum_us),
		[MEASURE_PACKETS_IN] = grown(now->packets_in, then->packets_in),
		[MEASURE_BYTES_IN] = grown(now->bytes_in, then->bytes_in),
		[MEASURE_PACKETS_OUT] = grown(now->packets_out, then->packets_out),
		[MEASURE_BYTES_OUT] = grown(now->bytes_out, then->bytes_out),
		[MEASURE_DROPS] = now->drops - then->drops,
	};
	if (growth[MEASURE_RECEIVED] > 0)
		growth[MEASURE_RTT_MIN] = growth[MEASURE_RTT_MAX] = growth[MEASURE_RTT_SUM] /
								    growth[MEASURE_RECEIVED];
	statbook_add(e, growth);
}

/* False: no memory; the next stats_collect adds the rest. */
static bool collect_reasons(struct stats *s, uint32_t slot, uint32_t tunnel, int32_t day,
			    const struct view_tunnel *v)
{
	struct reasons *seen = &s->reasons[slot];

	for (enum drop r = DROP_NONE + 1; r < DROP__COUNT; r++) {
		uint32_t now = (uint32_t)v->drops[r], growth = now - seen->count[r];
		if (growth == 0)
			continue;
		if (!dropbook_add(s->drops, &(struct dropbook_entry){ tunnel, day, r, growth }))
			return false;
		s->booked.count[r] += growth;
		seen->count[r] = now;
	}
	return true;
}

struct quarter {
	int32_t day, quarter;
};

/* False: no memory. */
static bool collect_tunnel(struct stats *s, uint32_t slot, uint32_t tunnel,
			   const struct view_tunnel *v, struct quarter at)
{
	struct seen now = seen_of(v), *then = &s->seen[slot];

	if (same(&now, then))
		return true;
	if (now.drops != then->drops && !collect_reasons(s, slot, tunnel, at.day, v))
		return false;
	struct statbook_entry *e = statbook_entry(s->book, &then->hint, tunnel, at.day, at.quarter);
	if (!e)
		return false;
	add_growth(e, &now, then);
	now.hint = then->hint;
	*then = now;
	return true;
}

/* Adds the PoP's drops that no tunnel is charged with, and those of tunnels that were deleted before
 * they were collected. `pop` was read before the tunnels, so nothing is counted twice. */
static void collect_rest(struct stats *s, const struct view_pop *pop, struct quarter at)
{
	struct statbook_entry *e = NULL;

	for (enum drop r = DROP_NONE + 1; r < DROP__COUNT; r++) {
		uint64_t *booked = &s->booked.count[r], now = pop->drops[r].count;
		if (now <= *booked)
			continue;
		if (!e)
			e = statbook_entry(s->book, &s->booked.hint, 0, at.day, at.quarter);
		if (!e || !dropbook_add(s->drops,
					&(struct dropbook_entry){ 0, at.day, r, now - *booked }))
			return;
		e->value[MEASURE_DROPS] += now - *booked;
		*booked = now;
	}
}

void stats_collect(struct stats *s, struct table *t, struct counters *const *workers, size_t n,
		   wall_t now)
{
	const struct quarter at = { (int32_t)(now.s / SECONDS_A_DAY),
				    (int32_t)(now.s % SECONDS_A_DAY / QUARTER_SECONDS) };
	size_t left = table_count(t);
	struct view_pop pop;

	view_pop(workers, n, &pop);
	for (uint32_t slot = 0; slot < s->slots && left > 0; slot++) {
		const struct tunnel_conf *c = atomic_load_explicit(&table_slot(t, slot)->conf,
								   memory_order_relaxed);
		struct view_tunnel v;
		if (!c)
			continue;
		left--;
		view_tunnel(workers, n, slot, &v);
		if (!collect_tunnel(s, slot, c->id, &v, at))
			return;
	}
	collect_rest(s, &pop, at);
}

void stats_slot_freed(struct stats *s, uint32_t slot)
{
	static const struct seen none;

	if (same(&s->seen[slot], &none))
		return;
	s->seen[slot] = none;
	memset(&s->reasons[slot], 0, sizeof(s->reasons[slot]));
}

/* ---- batches ---- */

static bool has_entries(const struct stats_batch *b)
{
	return b->n > 0 || b->n_drops > 0;
}

/*
 * An answer that came late stands in a later entry than its probe. The database takes one such answer
 * for each entry and refuses a batch with more, so that a client that keeps its answers back for
 * minutes could have all tunnels' statistics refused. Its surplus is left out.
 */
static void leave_out_late_answers(struct statbook_entry *e)
{
	uint64_t most = e->value[MEASURE_SENT] + 1;

	if (e->value[MEASURE_RECEIVED] > most)
		e->value[MEASURE_RECEIVED] = most;
}

const struct stats_batch *stats_batch(struct stats *s)
{
	struct stats_batch *b = &s->batch;

	if (!has_entries(b)) {
		b->n = statbook_take(s->book, b->entries, STATS_BATCH);
		b->n_drops = dropbook_take(s->drops, b->drops, STATS_BATCH);
		for (size_t i = 0; i < b->n; i++)
			leave_out_late_answers(&b->entries[i]);
		b->number += has_entries(b);
	}
	return has_entries(b) ? b : NULL;
}

void stats_acknowledge(struct stats *s)
{
	s->batch.n = s->batch.n_drops = 0;
}

size_t stats_waiting(const struct stats *s)
{
	return s->batch.n + s->batch.n_drops + statbook_count(s->book) + dropbook_count(s->drops);
}

/* ---- as PostgreSQL array texts ---- */

static void print_day(FILE *f, int32_t day)
{
	time_t at = (time_t)day * SECONDS_A_DAY;
	struct tm tm;

	if (gmtime_r(&at, &tm))
		fprintf(f, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	else
		fputs("1970-01-01", f);
}

static void print_entry(FILE *f, const struct statbook_entry *e, enum stats_column column)
{
	enum measure m = (enum measure)(column - STATS_MEASURES);

	if (column == STATS_TUNNEL)
		fprintf(f, "%" PRIu32, e->tunnel);
	else if (column == STATS_DAY)
		print_day(f, e->day);
	else if (column == STATS_QUARTER && e->quarter == QUARTER_NONE)
		fputs("NULL", f);
	else if (column == STATS_QUARTER)
		fprintf(f, "%" PRId32, e->quarter);
	else if (measure_how(m) == MEASURE_MIN && e->value[m] == 0)
		fputs("NULL", f);
	else
		fprintf(f, "%" PRIu64, e->value[m]);
}

static void print_drop(FILE *f, const struct dropbook_entry *e, enum stats_column column)
{
	if (column == STATS_DROP_TUNNEL)
		fprintf(f, "%" PRIu32, e->tunnel);
	else if (column == STATS_DROP_DAY)
		print_day(f, e->day);
	else if (column == STATS_DROP_REASON)
		fputs(drop_name(e->reason), f);
	else
		fprintf(f, "%" PRIu64, e->packets);
}

/* Closes a memory stream. NULL: it ran out of memory. */
static char *finish_text(FILE *f, char **text)
{
	bool failed = ferror(f);

	if (fclose(f) == 0 && !failed)
		return *text;
	free(*text);
	return NULL;
}

char *stats_column_text(const struct stats_batch *b, enum stats_column column)
{
	bool of_drops = column >= STATS_DROP_TUNNEL;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	putc('{', f);
	for (size_t i = 0; i < (of_drops ? b->n_drops : b->n); i++) {
		if (i > 0)
			putc(',', f);
		if (of_drops)
			print_drop(f, &b->drops[i], column);
		else
			print_entry(f, &b->entries[i], column);
	}
	putc('}', f);
	return finish_text(f, &text);
}

static void print_quoted(FILE *f, const char *text)
{
	putc('"', f);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', f);
		putc(*text, f);
	}
	putc('"', f);
}

char *stats_reasons_text(bool sentences)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	putc('{', f);
	for (enum drop r = DROP_NONE + 1; r < DROP__COUNT; r++) {
		if (r > DROP_NONE + 1)
			putc(',', f);
		print_quoted(f, sentences ? drop_text(r) : drop_name(r));
	}
	putc('}', f);
	return finish_text(f, &text);
}
