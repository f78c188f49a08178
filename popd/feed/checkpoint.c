#include "popd/feed/checkpoint.h"

#include <stdbool.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "popd/feed/store.h"

enum {
	PERIOD_MS = 60000,
	/* encoding snapshots takes at most one twentieth of the control thread's time */
	SHARE = 20,
	JOURNAL_PERIOD = 10, /* seconds */
};

struct checkpoint {
	struct store *store;
	uint64_t (*seq)(void *ctx);
	void *ctx;
	bool due;        /* the configuration has changed */
	mono_t last;     /* begin of the last snapshot */
	mono_t earliest; /* begin of the next one, at the earliest */
	unsigned seconds;
};

struct checkpoint *checkpoint_create(struct store *store, uint64_t (*seq)(void *ctx), void *ctx)
{
	struct checkpoint *k = calloc(1, sizeof(*k));

	if (k)
		*k = (struct checkpoint){ .store = store, .seq = seq, .ctx = ctx };
	return k;
}

void checkpoint_free(struct checkpoint *k)
{
	free(k);
}

static void begin_if_due(struct checkpoint *k)
{
	mono_t now = mono_now();
	bool stale = store_is_behind(k->store) && mono_since(now, k->last) >= PERIOD_MS;

	if (store_is_writing(k->store) || (!k->due && !stale) || mono_since(now, k->earliest) < 0)
		return;
	k->last = now;
	if (store_begin_snapshot(k->store, k->seq(k->ctx), moment_now()))
		k->due = false;
	mono_t end = mono_now();
	k->earliest.ms = end.ms + SHARE * mono_since(end, now);
}

void checkpoint_note_change(struct checkpoint *k)
{
	k->due = true;
	begin_if_due(k);
}

void checkpoint_tick(struct checkpoint *k)
{
	if (++k->seconds % JOURNAL_PERIOD == 0) {
		store_note_changed(k->store, moment_now());
		store_append(k->store);
	}
	begin_if_due(k);
}

void checkpoint_save(struct checkpoint *k)
{
	store_note_changed(k->store, moment_now());
	store_finish_snapshot(k->store);
	if (store_begin_snapshot(k->store, k->seq(k->ctx), moment_now()))
		store_finish_snapshot(k->store);
}
