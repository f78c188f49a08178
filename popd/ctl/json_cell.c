#include "popd/ctl/json_cell.h"

#include <stdio.h>

const char *cell_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "-";
}

unsigned long long cell_number(const json_t *o, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(o, key));
}

const char *cell_span(unsigned long long s, char out[static CELL])
{
	if (s < 120)
		snprintf(out, CELL, "%llu s", s);
	else if (s < 7200)
		snprintf(out, CELL, "%llu min", s / 60);
	else if (s < 172800)
		snprintf(out, CELL, "%llu h %02llu min", s / 3600, s / 60 % 60);
	else
		snprintf(out, CELL, "%llu d %llu h", s / 86400, s / 3600 % 24);
	return out;
}

const char *cell_ago(const json_t *o, const char *key, char out[static CELL])
{
	const json_t *age = json_object_get(o, key);
	char text[CELL];

	if (!json_is_integer(age))
		snprintf(out, CELL, "never");
	else
		snprintf(out, CELL, "%.80s ago",
			 cell_span((unsigned long long)json_integer_value(age), text));
	return out;
}

const char *cell_bytes(unsigned long long n, char out[static CELL])
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB" };
	double v = (double)n;
	size_t unit = 0;

	if (n < 10000) {
		snprintf(out, CELL, "%llu B", n);
		return out;
	}
	for (v /= 1000; v >= 10000 && unit + 1 < ARRAY_LEN(units); v /= 1000)
		unit++;
	snprintf(out, CELL, v < 100 ? "%.1f %s" : "%.0f %s", v, units[unit]);
	return out;
}

const char *cell_count(unsigned long long n, char out[static CELL])
{
	snprintf(out, CELL, "%llu", n);
	return out;
}

const char *cell_bits(unsigned long long n, char out[static CELL])
{
	static const char *const units[] = { "bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s" };
	double v = (double)n;
	size_t unit = 0;

	for (; v >= 1000 && unit + 1 < ARRAY_LEN(units); v /= 1000)
		unit++;
	snprintf(out, CELL, unit > 0 && v < 100 ? "%.1f %s" : "%.0f %s", v, units[unit]);
	return out;
}

const char *cell_rate(const json_t *o, const char *key, char out[static CELL])
{
	double v = json_number_value(json_object_get(o, key));

	snprintf(out, CELL, v < 100 ? "%.1f" : "%.0f", v);
	return out;
}
