#include "popd/report/stats_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { VALUE = 42 }; /* room for any value with its comma: a reason's name is the longest */

static int format_day(char *out, size_t size, int32_t day)
{
	time_t at = (time_t)day * 86400;
	struct tm tm;

	if (!gmtime_r(&at, &tm))
		return snprintf(out, size, "1970-01-01");
	return snprintf(out, size, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static int format_entry(char *out, size_t size, const struct statbook_entry *e,
			enum stats_column column)
{
	if (column == STATS_TUNNEL)
		return snprintf(out, size, "%" PRIu32, e->tunnel);
	if (column == STATS_DAY)
		return format_day(out, size, e->day);
	if (column == STATS_QUARTER)
		return e->quarter == QUARTER_NONE ? snprintf(out, size, "NULL")
						  : snprintf(out, size, "%" PRId32, e->quarter);
	enum measure m = (enum measure)(column - STATS_MEASURES);
	if (measure_how(m) == MEASURE_MIN && e->value[m] == 0)
		return snprintf(out, size, "NULL");
	return snprintf(out, size, "%" PRIu64, e->value[m]);
}

static int format_drop(char *out, size_t size, const struct dropbook_entry *e,
		       enum stats_column column)
{
	if (column == STATS_DROP_TUNNEL)
		return snprintf(out, size, "%" PRIu32, e->tunnel);
	if (column == STATS_DROP_DAY)
		return format_day(out, size, e->day);
	if (column == STATS_DROP_REASON)
		return snprintf(out, size, "%s", drop_name(e->why));
	return snprintf(out, size, "%" PRIu64, e->packets);
}

char *stats_column_text(const struct stats_batch *b, enum stats_column column)
{
	bool of_drops = column >= STATS_DROP_TUNNEL;
	size_t n = of_drops ? b->n_drops : b->n, size = n * VALUE + 3, used = 0;
	char *text = malloc(size);

	if (!text)
		return NULL;
	text[used++] = '{';
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			text[used++] = ',';
		used += (size_t)(of_drops ? format_drop(text + used, size - used, &b->drops[i],
							column)
					  : format_entry(text + used, size - used, &b->entries[i],
							 column));
	}
	text[used++] = '}';
	text[used] = '\0';
	return text;
}

char *stats_reasons_text(bool sentences)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (enum drop d = DROP_NONE + 1; d < DROP__COUNT; d++) {
		fputs(d == DROP_NONE + 1 ? "{\"" : ",\"", f);
		for (const char *c = sentences ? drop_text(d) : drop_name(d); *c; c++) {
			if (*c == '"' || *c == '\\')
				putc('\\', f);
			putc(*c, f);
		}
		putc('"', f);
	}
	putc('}', f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
