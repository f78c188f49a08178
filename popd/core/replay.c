#include "popd/core/replay.h"

static bool is_same_endpoint(uint64_t a, uint64_t b)
{
	return (a ^ b) >> 16 == 0;
}

/*
 * Makes `epoch` the newest; false: it is not newer. A newest epoch far in the future was accepted
 * while our clock was wrong. It would keep the client's endpoint from moving until then, so it
 * counts as REPLAY_REORDER seconds ago.
 */
static bool advance(struct tunnel *t, uint32_t epoch, uint32_t now)
{
	uint32_t newest = atomic_load_explicit(&t->newest, memory_order_relaxed);

	while ((newest > now && newest - now > 2 * REPLAY_CLOCK_SKEW ? now - REPLAY_REORDER
								     : newest) < epoch)
		if (atomic_compare_exchange_weak_explicit(
			    &t->newest, &newest, epoch, memory_order_relaxed, memory_order_relaxed))
			return true;
	return false;
}

static enum drop stay(struct tunnel *t, uint64_t before, uint64_t from, uint32_t epoch,
		      uint32_t now)
{
	uint32_t newest = atomic_load_explicit(&t->newest, memory_order_relaxed);
	uint32_t limit = newest < now ? newest : now;

	if (limit > REPLAY_REORDER && epoch < limit - REPLAY_REORDER)
		return DROP_REPLAY_STALE;
	(void)advance(t, epoch, now);
	/* Only the flags differ. The newest packet decides about them; when another worker was
	 * first, its packet does. */
	if (before != from && epoch >= newest)
		(void)atomic_compare_exchange_strong_explicit(
			&t->endpoint, &before, from, memory_order_relaxed, memory_order_relaxed);
	return DROP_NONE;
}

/* The lock makes packets from two new endpoints move it one after the other, and keeps a change of
 * the configuration from being undone. */
static enum drop move(struct tunnel *t, const struct tunnel_conf *c, uint64_t from, uint32_t epoch,
		      uint32_t now, uint64_t *before)
{
	enum drop drop = DROP_NONE;

	tunnel_lock(t);
	const struct tunnel_conf *current = atomic_load(&t->conf);
	*before = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	if (!current || current->type != c->type) {
		drop = current ? DROP_TUNNEL_TYPE : DROP_TUNNEL_UNKNOWN;
	} else if (is_same_endpoint(*before, from)) {
		drop = stay(t, *before, from, epoch, now);
	} else if (!advance(t, epoch, now)) {
		drop = DROP_REPLAY_MOVE;
	} else {
		atomic_store_explicit(&t->endpoint, from, memory_order_relaxed);
		atomic_store_explicit(&t->path, 0, memory_order_relaxed);
	}
	tunnel_unlock(t);
	return drop;
}

enum drop replay_accept(struct tunnel *t, const struct tunnel_conf *c, uint64_t from,
			uint32_t epoch, uint32_t now, uint64_t *before)
{
	*before = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	return is_same_endpoint(*before, from) ? stay(t, *before, from, epoch, now)
					       : move(t, c, from, epoch, now, before);
}
