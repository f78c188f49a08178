#include "lib/clock.h"

#include <stdio.h>
#include <time.h>

mono_t mono_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (mono_t){ (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 };
}

mono_us_t mono_us_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (mono_us_t){ (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000 };
}

mono_s_t mono_seconds(void)
{
	return mono_seconds_of(mono_us_now());
}

struct moment moment_now(void)
{
	return (struct moment){ wall_seconds(), mono_seconds() };
}

uint32_t moment_wall(struct moment now, mono_s_t then)
{
	if (then.s == 0)
		return 0;
	int64_t wall = (int64_t)now.wall - ((int64_t)now.mono.s - then.s);
	return wall < 1 ? 1 : wall > UINT32_MAX ? UINT32_MAX : (uint32_t)wall;
}

mono_s_t moment_mono(struct moment now, uint32_t then)
{
	if (then == 0)
		return (mono_s_t){ 0 };
	uint32_t age = then < now.wall ? now.wall - then : 0;
	return (mono_s_t){ age < now.mono.s ? now.mono.s - age : 1 };
}

wall_t wall_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (wall_t){ ts.tv_sec };
}

uint32_t wall_seconds(void)
{
	return (uint32_t)wall_now().s;
}

const char *wall_text(wall_t t, char out[static CLOCK_TEXT])
{
	time_t s = (time_t)t.s;
	struct tm tm;

	/* RFC 3339 has years of four digits, and strftime writes fewer before the year 1000.
	 * Another year comes from a broken clock: the seconds are shown. */
	if (!gmtime_r(&s, &tm) || tm.tm_year + 1900 < 1000 || tm.tm_year + 1900 > 9999)
		snprintf(out, CLOCK_TEXT, "@%lld", (long long)t.s);
	else
		strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}
