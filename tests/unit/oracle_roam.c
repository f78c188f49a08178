#include "tests/unit/oracle.h"

static uint64_t o_place(uint64_t word)
{
	return word >> 16 << 16;
}

static bool o_knew(const struct oracle_tenure *t)
{
	return t->answered || t->left - t->began >= 60;
}

/* The last place that was left and could be relied upon; NULL: none. */
static const struct oracle_tenure *o_last_good(const struct oracle_roam *o)
{
	for (size_t i = o->past_count; i > 0; i--)
		if (o_knew(&o->past[i - 1]))
			return &o->past[i - 1];
	return NULL;
}

static long o_highest(uint32_t word, long now)
{
	return word > now + 240 ? now - 5 : (long)word;
}

static void o_raise(uint32_t *word, long epoch, long now)
{
	if (epoch > o_highest(*word, now))
		*word = (uint32_t)epoch;
}

/* Three departures in the last minute, one of them from where it goes now. */
static bool o_are_two(const struct oracle_roam *o, uint64_t to, long now)
{
	bool came_back = false;

	if (o->past_count < 3)
		return false;
	for (size_t i = o->past_count - 3; i < o->past_count; i++) {
		if (now - o->past[i].left >= 60)
			return false;
		if (o->past[i].place == o_place(to))
			came_back = true;
	}
	return came_back;
}

static void o_go(struct oracle_roam *o, uint64_t to, bool answered, long epoch, long now)
{
	if (o->endpoint != 0)
		o->past[o->past_count++] = (struct oracle_tenure){ o_place(o->endpoint), o->began,
								   now, o->answered };
	o->endpoint = to;
	o->answered = answered;
	o->began = now;
	o->newest = (uint32_t)epoch;
	if (o_are_two(o, to, now) && (o->told == 0 || now - o->told >= 60)) {
		o->two_clients = true;
		o->told = now;
	}
}

/* Refused: only an answer helps. */
static enum drop o_doubt(struct oracle_roam *o, enum drop why, uint64_t from, long epoch, long now,
			 bool answers)
{
	if (!o->ayiya)
		return why;
	if (!answers) {
		o->asked = 3;
		return why;
	}
	o_raise(&o->highest, epoch, now);
	if (o_place(from) != o_place(o->endpoint))
		o_go(o, from, true, epoch, now);
	o->answered = true;
	o->newest = (uint32_t)epoch;
	return why;
}

enum drop oracle_roam_packet(struct oracle_roam *o, uint64_t from, long epoch, long now,
			     bool answers)
{
	o->asked = 0;
	o->two_clients = false;
	if (o->endpoint != 0 && o_place(from) == o_place(o->endpoint)) { /* rule 1 */
		/* a heartbeat tunnel's answer is a packet of its own */
		o->answered = o->answered || (answers && !o->ayiya);
		long bar = o->newest < now ? (long)o->newest : now;
		if (epoch < bar - 5)
			return o_doubt(o, DROP_REPLAY_STALE, from, epoch, now, answers);
		o_raise(&o->newest, epoch, now);
		o_raise(&o->highest, epoch, now);
		o->answered = o->answered || answers;
		return DROP_NONE;
	}
	const struct oracle_tenure *good = o_last_good(o);
	if (o->endpoint != 0 && !o->answered && good && good->place == o_place(from) &&
	    epoch >= o_highest(o->newest, now)) { /* rule 5 */
		o_raise(&o->highest, epoch, now);
		o_go(o, from, good->answered || answers, epoch, now);
		return DROP_NONE;
	}
	bool old = o->endpoint != 0 && now - (long)o->start < 120 && epoch <= (long)o->start;
	if (old || epoch <= o_highest(o->highest, now)) /* rules 3 and 6 */
		return o_doubt(o, DROP_REPLAY_MOVE, from, epoch, now, answers);
	o->highest = (uint32_t)epoch; /* rule 2 */
	o_go(o, from, answers, epoch, now);
	o->asked = 2;
	return DROP_NONE;
}
