#include "web/page/stamp.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/err.h"
#include "lib/num.h"
#include "web/page/html.h"

enum { MINUTE = 60, HOUR = 60 * MINUTE };

/* Reads `len` digits at *p, a number within min..max, and then the character `after` (0: none). */
static bool take_number(const char **p, size_t len, uint64_t min, uint64_t max, char after,
			int *out)
{
	uint64_t v;
	if (strnlen(*p, len) < len || num_parse_u64(*p, len, min, max, &v) != 0)
		return false;
	*p += len;
	*out = (int)v;
	if (after && *(*p)++ != after)
		return false;
	return true;
}

/* "Z" or "+hh:mm" and the end; *offset is the seconds to subtract from the local time. */
static bool take_zone(const char *p, int64_t *offset)
{
	int hours, minutes;
	char sign = *p++;
	*offset = 0;
	if (sign == 'Z' || sign == 'z')
		return *p == '\0';
	if (sign != '+' && sign != '-')
		return false;
	if (!take_number(&p, 2, 0, 23, ':', &hours) || !take_number(&p, 2, 0, 59, 0, &minutes) ||
	    *p != '\0')
		return false;
	*offset = (hours * HOUR + minutes * MINUTE) * (sign == '-' ? -1 : 1);
	return true;
}

int stamp_parse(const char *text, wall_t *out)
{
	struct tm tm = { 0 };
	int64_t offset;
	const char *p = text;
	if (!take_number(&p, 4, 1, 9999, '-', &tm.tm_year) ||
	    !take_number(&p, 2, 1, 12, '-', &tm.tm_mon) ||
	    !take_number(&p, 2, 1, 31, 0, &tm.tm_mday) || (*p != 'T' && *p != 't' && *p != ' '))
		return -ERR_FORMAT;
	p++;
	if (!take_number(&p, 2, 0, 23, ':', &tm.tm_hour) ||
	    !take_number(&p, 2, 0, 59, ':', &tm.tm_min) ||
	    !take_number(&p, 2, 0, 60, 0, &tm.tm_sec))
		return -ERR_FORMAT;
	if (*p == '.') {
		size_t digits = strspn(p + 1, "0123456789");
		if (digits == 0)
			return -ERR_FORMAT;
		p += 1 + digits;
	}
	if (!take_zone(p, &offset))
		return -ERR_FORMAT;

	int day = tm.tm_mday, leap = tm.tm_sec == 60;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	tm.tm_sec -= leap;
	time_t local = timegm(&tm);
	if (tm.tm_mday != day) /* timegm carried: there is no 31 April */
		return -ERR_FORMAT;
	out->s = (int64_t)local + leap - offset;
	return 0;
}

void stamp_put(struct html *h, wall_t t)
{
	char machine[CLOCK_TEXT], people[CLOCK_TEXT];
	wall_text(t, machine);
	snprintf(people, sizeof(people), "%.10s %.8s UTC", machine,
		 strlen(machine) > 11 ? machine + 11 : "");
	html_put(h, "<time datetime=\"%s\">%s</time>", machine, people);
}
