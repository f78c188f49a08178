/*
 * Entries stand in one array in the order they were begun; `head` is the first that is in no batch yet. `current`
 * says for each slot which entry its growth goes to; it is trusted only when that entry is of the same tunnel and
 * day, still waiting, so nothing has to be kept in step.
 */
#include "popd/io/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "popd/io/view.h"

/* A slot's counters at the last look, all workers together. */
struct seen {
	uint64_t packets_in, octets_in, packets_out, octets_out, rtt_sum_us, drops;
	uint32_t sent, received;
};

struct slot_state {
	struct seen seen;
	uint32_t current;
};

struct stats {
	size_t slots, limit;
	struct slot_state *states; /* mapped, touched when used */
	struct stats_entry *entries;
	size_t head, count, room;
	struct stats_batch batch;
};

struct stats *stats_create(size_t slots, size_t limit)
{
	struct stats *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->slots = slots;
	s->limit = limit;
	s->states = mmap(NULL, slots * sizeof(*s->states), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->states == MAP_FAILED) {
		free(s);
		return NULL;
	}
	return s;
}

void stats_free(struct stats *s)
{
	if (!s)
		return;
	munmap(s->states, s->slots * sizeof(*s->states));
	free(s->entries);
	free(s);
}

static struct seen look(struct counters *const *workers, size_t n, uint32_t slot)
{
	struct view_tunnel v;

	view_tunnel(workers, n, slot, &v);
	struct seen now = {
		.packets_in = v.packets_in,
		.octets_in = v.octets_in,
		.packets_out = v.packets_out,
		.octets_out = v.octets_out,
		.rtt_sum_us = v.rtt_sum_us,
		.sent = v.sent,
		.received = v.received,
	};
	for (size_t i = 0; i < DROP__COUNT; i++)
		now.drops += v.drops[i];
	return now;
}

static void merge(struct stats_entry *into, const struct stats_entry *from)
{
	into->sent += from->sent;
	into->received += from->received;
	if (from->received > 0) {
		into->rtt_min_us = into->rtt_min_us == 0 || from->rtt_min_us < into->rtt_min_us ? from->rtt_min_us
												: into->rtt_min_us;
		into->rtt_max_us = from->rtt_max_us > into->rtt_max_us ? from->rtt_max_us : into->rtt_max_us;
	}
	into->rtt_sum_us += from->rtt_sum_us;
	into->packets_in += from->packets_in;
	into->octets_in += from->octets_in;
	into->packets_out += from->packets_out;
	into->octets_out += from->octets_out;
	into->drops += from->drops;
}

static int by_tunnel_and_day(const void *a, const void *b)
{
	const struct stats_entry *x = a, *y = b;

	if (x->tunnel != y->tunnel)
		return x->tunnel < y->tunnel ? -1 : 1;
	return x->day < y->day ? -1 : x->day > y->day;
}

static int by_day(const void *a, const void *b)
{
	const struct stats_entry *x = a, *y = b;

	if (x->day != y->day)
		return x->day < y->day ? -1 : 1;
	return x->tunnel < y->tunnel ? -1 : x->tunnel > y->tunnel;
}

/* The book is full: the two oldest entries of each tunnel become one of the later day. */
static void compact(struct stats *s)
{
	struct stats_entry *e = s->entries + s->head;
	size_t n = s->count - s->head, kept = 0;

	qsort(e, n, sizeof(*e), by_tunnel_and_day);
	for (size_t i = 0; i < n; i++) {
		bool oldest = i == 0 || e[i - 1].tunnel != e[i].tunnel;
		if (oldest && i + 1 < n && e[i + 1].tunnel == e[i].tunnel) {
			struct stats_entry both = e[i + 1];
			merge(&both, &e[i]);
			e[kept++] = both;
			i++;
		} else {
			e[kept++] = e[i];
		}
	}
	qsort(e, kept, sizeof(*e), by_day);
	s->count = s->head + kept;
}

static bool make_room(struct stats *s)
{
	if (s->count - s->head >= s->limit)
		compact(s);
	if (s->head > 0 && s->head >= s->count - s->head) {
		memmove(s->entries, s->entries + s->head, (s->count - s->head) * sizeof(*s->entries));
		s->count -= s->head;
		s->head = 0;
	}
	if (s->count < s->room)
		return true;
	size_t room = s->room ? 2 * s->room : 256;
	struct stats_entry *grown = realloc(s->entries, room * sizeof(*grown));
	if (!grown)
		return false;
	s->entries = grown;
	s->room = room;
	return true;
}

/* The waiting entry of this tunnel and day, or a new one; NULL: no memory. */
static struct stats_entry *entry_of(struct stats *s, uint32_t slot, uint32_t tunnel, int32_t day)
{
	uint32_t at = s->states[slot].current;

	if (at >= s->head && at < s->count && s->entries[at].tunnel == tunnel && s->entries[at].day == day)
		return &s->entries[at];
	if (!make_room(s))
		return NULL;
	s->states[slot].current = (uint32_t)s->count;
	s->entries[s->count] = (struct stats_entry){ .tunnel = tunnel, .day = day };
	return &s->entries[s->count++];
}

/* Probes go out once a minute and looks are more frequent, so as a rule one answer came at most, whose time is known
 * exactly; else their mean is. */
static void add_growth(struct stats_entry *e, const struct seen *now, const struct seen *then)
{
	struct stats_entry growth = {
		.sent = now->sent - then->sent,
		.received = now->received - then->received,
		.rtt_sum_us = now->rtt_sum_us - then->rtt_sum_us,
		.packets_in = now->packets_in - then->packets_in,
		.octets_in = now->octets_in - then->octets_in,
		.packets_out = now->packets_out - then->packets_out,
		.octets_out = now->octets_out - then->octets_out,
		.drops = now->drops - then->drops,
	};
	if (growth.received > 0)
		growth.rtt_min_us = growth.rtt_max_us = (uint32_t)(growth.rtt_sum_us / growth.received);
	merge(e, &growth);
}

static bool same(const struct seen *a, const struct seen *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}
_Static_assert(sizeof(struct seen) == 6 * 8 + 2 * 4, "no padding for memcmp to trip over");

void stats_collect(struct stats *s, struct table *t, struct counters *const *workers, size_t n, int32_t day)
{
	size_t left = table_count(t);

	for (uint32_t slot = 0; slot < s->slots && left > 0; slot++) {
		const struct tunnel_conf *c = atomic_load_explicit(&table_slot(t, slot)->conf, memory_order_relaxed);
		if (!c)
			continue;
		left--;
		struct seen now = look(workers, n, slot);
		struct slot_state *state = &s->states[slot];
		if (same(&now, &state->seen))
			continue;
		struct stats_entry *e = entry_of(s, slot, c->id, day);
		if (!e)
			return; /* `seen` stays behind: the next look finds this growth too */
		add_growth(e, &now, &state->seen);
		state->seen = now;
	}
}

void stats_slot_freed(struct stats *s, uint32_t slot)
{
	static const struct seen none;

	if (!same(&s->states[slot].seen, &none))
		s->states[slot].seen = none;
}

const struct stats_batch *stats_batch(struct stats *s)
{
	struct stats_batch *b = &s->batch;

	if (b->n == 0 && s->head < s->count) {
		b->number++;
		b->n = s->count - s->head < STATS_BATCH ? s->count - s->head : STATS_BATCH;
		memcpy(b->entries, s->entries + s->head, b->n * sizeof(*b->entries));
		s->head += b->n;
	}
	return b;
}

void stats_acknowledge(struct stats *s)
{
	s->batch.n = 0;
}

size_t stats_waiting(const struct stats *s)
{
	return s->batch.n + s->count - s->head;
}

static int format_day(char *out, size_t size, int32_t day)
{
	time_t at = (time_t)day * 86400;
	struct tm tm;

	if (!gmtime_r(&at, &tm))
		return snprintf(out, size, "1970-01-01");
	return snprintf(out, size, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static int format_value(char *out, size_t size, const struct stats_entry *e, enum stats_column column)
{
	const uint64_t values[STATS_COLUMNS] = {
		[STATS_TUNNEL] = e->tunnel,
		[STATS_SENT] = e->sent,
		[STATS_RECEIVED] = e->received,
		[STATS_RTT_MIN] = e->rtt_min_us,
		[STATS_RTT_SUM] = e->rtt_sum_us,
		[STATS_RTT_MAX] = e->rtt_max_us,
		[STATS_PACKETS_IN] = e->packets_in,
		[STATS_OCTETS_IN] = e->octets_in,
		[STATS_PACKETS_OUT] = e->packets_out,
		[STATS_OCTETS_OUT] = e->octets_out,
		[STATS_DROPS] = e->drops,
	};

	if (column == STATS_DAY)
		return format_day(out, size, e->day);
	if (column == STATS_RTT_MIN && e->received == 0)
		return snprintf(out, size, "NULL");
	return snprintf(out, size, "%" PRIu64, values[column]);
}

char *stats_column_text(const struct stats_batch *b, enum stats_column column)
{
	enum { VALUE = 24 };
	size_t size = b->n * VALUE + 3, used = 0;
	char *text = malloc(size);

	if (!text)
		return NULL;
	text[used++] = '{';
	for (size_t i = 0; i < b->n; i++) {
		if (i > 0)
			text[used++] = ',';
		used += (size_t)format_value(text + used, size - used, &b->entries[i], column);
	}
	text[used++] = '}';
	text[used] = '\0';
	return text;
}
