#include "popd/core/replay.h"

#include "popd/core/roam.h"

static bool is_same_endpoint(uint64_t a, uint64_t b)
{
	return (a ^ b) >> 16 == 0;
}

/* An epoch far in the future was accepted while our clock was wrong. It would keep the client's
 * endpoint from moving until then, so it counts as REPLAY_REORDER seconds ago. */
static uint32_t as_of(uint32_t epoch, uint32_t now)
{
	if (epoch <= now || epoch - now <= 2 * REPLAY_CLOCK_SKEW)
		return epoch;
	return now > REPLAY_REORDER ? now - REPLAY_REORDER : 0;
}

/* Raises `word` to `epoch`; false: it is not newer. */
static bool advance(_Atomic uint32_t *word, uint32_t epoch, uint32_t now)
{
	uint32_t value = atomic_load_explicit(word, memory_order_relaxed);

	while (as_of(value, now) < epoch)
		if (atomic_compare_exchange_weak_explicit(word, &value, epoch, memory_order_relaxed,
							  memory_order_relaxed))
			return true;
	return false;
}

/* The word of a packet's source as that of an endpoint that has `flags` already. */
static uint64_t with_answered(uint64_t from, uint64_t endpoint)
{
	return from | (endpoint & ENDPOINT_ANSWERED);
}

static enum drop stay(struct tunnel *t, const struct tunnel_conf *c, const struct replay_packet *p,
		      struct replay_result *out)
{
	uint32_t newest = atomic_load_explicit(&t->newest, memory_order_relaxed);
	uint32_t now = p->now.wall, limit = newest < now ? newest : now;

	if (limit > REPLAY_REORDER && p->epoch < limit - REPLAY_REORDER) {
		out->ask = c->type == TUNNEL_AYIYA ? REPLAY_ASK_DOUBTED : REPLAY_ASK_NOT;
		return DROP_REPLAY_STALE;
	}
	/* In this order: whoever finds a newest epoch finds a highest one that is no older. */
	(void)advance(&t->highest, p->epoch, now);
	(void)advance(&t->newest, p->epoch, now);
	/* Only the method differs. The newest packet decides about it; when another worker was
	 * first, its packet does. */
	uint64_t before = out->before, after = with_answered(p->from, before);
	if (before != after && p->epoch >= newest)
		(void)atomic_compare_exchange_strong_explicit(
			&t->endpoint, &before, after, memory_order_relaxed, memory_order_relaxed);
	return DROP_NONE;
}

/* ---- under the tunnel's lock ---- */

static void set_endpoint(struct roam *r, struct tunnel *t, const struct tunnel_conf *c,
			 uint64_t word, const struct replay_packet *p, struct replay_result *out)
{
	atomic_store_explicit(&t->endpoint, word, memory_order_relaxed);
	atomic_store_explicit(&t->newest, p->epoch, memory_order_relaxed);
	atomic_store_explicit(&t->path, 0, memory_order_relaxed);
	out->two_clients = roam_note_change(r, t, c, out->before, word, p->now);
}

/* Who copies a packet and is quicker gains nothing: the endpoint before takes the tunnel back. */
static bool takes_back(struct roam *r, const struct tunnel *t, const struct tunnel_conf *c,
		       const struct replay_packet *p, uint64_t endpoint)
{
	uint32_t newest = atomic_load_explicit(&t->newest, memory_order_relaxed);

	return endpoint != 0 && !(endpoint_flags(endpoint) & ENDPOINT_ANSWERED) &&
	       p->epoch >= as_of(newest, p->now.wall) &&
	       is_same_endpoint(roam_trusted(r, t, c), p->from);
}

static enum drop move(struct roam *r, struct tunnel *t, const struct tunnel_conf *c,
		      const struct replay_packet *p, struct replay_result *out)
{
	uint32_t now = p->now.wall;

	if (takes_back(r, t, c, p, out->before)) {
		(void)advance(&t->highest, p->epoch, now);
		set_endpoint(r, t, c, with_answered(p->from, roam_trusted(r, t, c)), p, out);
		return DROP_NONE;
	}
	/* A tunnel without an endpoint has none that an old packet could move. */
	bool may_move = out->before == 0 || roam_is_after_start(r, p->epoch, p->now.mono_us);
	if (!may_move || !advance(&t->highest, p->epoch, now)) {
		out->ask = c->type == TUNNEL_AYIYA ? REPLAY_ASK_DOUBTED : REPLAY_ASK_NOT;
		return DROP_REPLAY_MOVE;
	}
	set_endpoint(r, t, c, p->from, p, out);
	out->ask = REPLAY_ASK_MOVED;
	return DROP_NONE;
}

static enum drop answer(struct roam *r, struct tunnel *t, const struct tunnel_conf *c,
			const struct replay_packet *p, int64_t asked_us, struct replay_result *out)
{
	uint64_t word = p->from | ENDPOINT_ANSWERED;
	bool moves = !is_same_endpoint(out->before, p->from);

	roam_note_answer(r, t, c, p->from, p->now.mono_us);
	if (moves && !roam_has_stayed(r, t, c, asked_us)) {
		out->ask = REPLAY_ASK_DOUBTED;
		return DROP_REPLAY_MOVE;
	}
	(void)advance(&t->highest, p->epoch, p->now.wall);
	if (moves) {
		set_endpoint(r, t, c, word, p, out);
	} else {
		atomic_store_explicit(&t->newest, p->epoch, memory_order_relaxed);
		atomic_store_explicit(&t->endpoint, word, memory_order_relaxed);
	}
	return DROP_NONE;
}

/* DROP_NONE: the tunnel still is what the packet was judged by. */
static enum drop check_conf(const struct tunnel *t, const struct tunnel_conf *c)
{
	const struct tunnel_conf *current = atomic_load(&t->conf);

	if (!current)
		return DROP_TUNNEL_UNKNOWN;
	return current->type == c->type ? DROP_NONE : DROP_TUNNEL_TYPE;
}

/* ---- the doors ---- */

/* The lock makes packets from two new endpoints move it one after the other, and keeps a change of
 * the configuration from being undone. */
static enum drop accept_elsewhere(struct roam *r, struct tunnel *t, const struct tunnel_conf *c,
				  const struct replay_packet *p, struct replay_result *out)
{
	tunnel_lock(t);
	enum drop drop = check_conf(t, c);
	out->before = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	if (!drop)
		drop = is_same_endpoint(out->before, p->from) ? stay(t, c, p, out)
							      : move(r, t, c, p, out);
	tunnel_unlock(t);
	return drop;
}

enum drop replay_accept(struct roam *r, struct tunnel *t, const struct tunnel_conf *c,
			const struct replay_packet *p, struct replay_result *out)
{
	out->before = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	out->ask = REPLAY_ASK_NOT;
	out->two_clients = false;
	enum drop drop = is_same_endpoint(out->before, p->from) ? stay(t, c, p, out)
								: accept_elsewhere(r, t, c, p, out);

	if (drop == DROP_NONE)
		tunnel_heard(t, p->now.mono);
	return drop;
}

enum drop replay_accept_answer(struct roam *r, struct tunnel *t, const struct tunnel_conf *c,
			       const struct replay_packet *p, int64_t asked_us,
			       struct replay_result *out)
{
	out->ask = REPLAY_ASK_NOT;
	out->two_clients = false;
	tunnel_lock(t);
	enum drop drop = check_conf(t, c);
	out->before = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	if (!drop)
		drop = answer(r, t, c, p, asked_us, out);
	tunnel_unlock(t);
	if (drop == DROP_NONE)
		tunnel_heard(t, p->now.mono);
	return drop;
}

/* Only the lock's holder moves the endpoint, so the flag is set for the place that was compared. */
void replay_confirm(struct roam *r, struct tunnel *t, const struct tunnel_conf *c, uint64_t from,
		    struct timestamp now)
{
	tunnel_lock(t);
	uint64_t endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	if (check_conf(t, c) == DROP_NONE && is_same_endpoint(endpoint, from)) {
		(void)atomic_fetch_or_explicit(&t->endpoint, ENDPOINT_ANSWERED,
					       memory_order_relaxed);
		roam_note_answer(r, t, c, from, now.mono_us);
	}
	tunnel_unlock(t);
}
