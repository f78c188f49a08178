#include "lib/io/pgserver.h"

#include <stdlib.h>

enum { PAUSE_MIN_MS = 250, PAUSE_MAX_MS = 5000 };

int64_t pgserver_pause_ms(unsigned failures)
{
	unsigned doublings = failures > 1 ? failures - 1 : 0;
	int64_t pause = doublings < 5 ? (int64_t)PAUSE_MIN_MS << doublings : PAUSE_MAX_MS;

	if (pause > PAUSE_MAX_MS)
		pause = PAUSE_MAX_MS;
	return pause + arc4random_uniform((uint32_t)(pause / 5) + 1);
}

static void set_up(struct pgserver *s)
{
	if (s->state == PGSERVER_AWAY)
		log_info("database: connected again");
	s->state = PGSERVER_UP;
}

static void set_doubt(struct pgserver *s, enum pgserver_state state, int64_t now)
{
	if (s->state == PGSERVER_UP || s->state == PGSERVER_UNKNOWN)
		s->doubt_since = now;
	s->state = state;
}

void pgserver_connected(struct pgserver *s)
{
	set_up(s);
	s->failures = 0;
	s->retry_at = 0;
}

void pgserver_answered(struct pgserver *s)
{
	set_up(s);
}

void pgserver_lost(struct pgserver *s, size_t live, int64_t now, const char *why)
{
	/* A server that accepts connections and drops them must not be tried without a pause. */
	int64_t earliest = s->last_attempt + PAUSE_MIN_MS;

	log_limited(&s->limit, 5, 10, LOG_LEVEL_WARN, "database connection lost: %s", why);
	if (s->retry_at < earliest)
		s->retry_at = earliest;
	if (live == 0 && s->state != PGSERVER_AWAY)
		set_doubt(s, PGSERVER_SHAKY, now);
}

void pgserver_failed(struct pgserver *s, size_t live, int64_t now, const char *why)
{
	s->failures++;
	s->retry_at = now + pgserver_pause_ms(s->failures);
	if (live > 0) {
		log_limited(&s->limit, 5, 10, LOG_LEVEL_WARN,
			    "database: a further connection failed: %s", why);
		return;
	}
	if (s->state != PGSERVER_AWAY)
		log_warnx("database: cannot connect, trying again until it answers: %s", why);
	set_doubt(s, PGSERVER_AWAY, now);
}
