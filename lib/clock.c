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
