#include "lib/span.h"

#include <inttypes.h>
#include <stdio.h>

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR, WEEK = 7 * DAY };

static const char *put(char *out, int64_t large, const char *large_unit, int64_t small,
		       const char *small_unit)
{
	int len = snprintf(out, SPAN_TEXT, "%" PRId64 " %s", large, large_unit);

	if (small > 0)
		snprintf(out + len, SPAN_TEXT - (size_t)len, " %" PRId64 " %s", small, small_unit);
	return out;
}

const char *span_text(int64_t seconds, char out[static SPAN_TEXT])
{
	int64_t s = seconds > 0 ? seconds : 0, days = s / DAY;

	if (s < 2 * MINUTE)
		return put(out, s, "s", 0, "");
	if (s < HOUR)
		return put(out, s / MINUTE, "min", 0, "");
	if (s < DAY)
		return put(out, s / HOUR, "h", s % HOUR / MINUTE, "min");
	/* Hours matter beside a few days, not beside a month. */
	return put(out, days, days == 1 ? "day" : "days", s < WEEK ? s % DAY / HOUR : 0, "h");
}
