#include "popd/observe/top_json.h"

#include <math.h>

#include "popd/core/view.h"
#include "popd/observe/value_json.h"

static void set_bits(json_t *o, const char *key, double bytes)
{
	value_set(o, key, json_integer((json_int_t)(8 * bytes)));
}

/* To the tenth: it is no more exact than the moments of the looks. */
static void set_rate(json_t *o, const char *key, double rate)
{
	value_set(o, key, json_real(round(rate * 10) / 10));
}

/* NULL: the tunnel is gone since. */
static json_t *row_json(const struct top_row *r, struct table *table,
			struct counters *const *workers, size_t n)
{
	const struct tunnel *t = table_slot(table, r->slot);
	const struct tunnel_conf *c = atomic_load_explicit(&t->conf, memory_order_relaxed);
	struct view_totals v;

	if (!c || c->id != r->id)
		return NULL;
	json_t *o = json_object();
	value_set(o, "id", value_tunnel(r->id));
	value_set(o, "type", json_string(tunnel_type_name((enum tunnel_type)c->type)));
	value_set(o, "endpoint",
		  value_endpoint(atomic_load_explicit(&t->endpoint, memory_order_relaxed)));
	set_bits(o, "bits_in_per_second", r->bytes_in);
	set_bits(o, "bits_out_per_second", r->bytes_out);
	set_rate(o, "packets_in_per_second", r->packets_in);
	set_rate(o, "packets_out_per_second", r->packets_out);
	set_rate(o, "drops_per_second", r->drops);
	view_totals(workers, n, r->slot, &v);
	value_set_measure(o, MEASURE_PACKETS_IN, v.packets_in);
	value_set_measure(o, MEASURE_BYTES_IN, v.bytes_in);
	value_set_measure(o, MEASURE_PACKETS_OUT, v.packets_out);
	value_set_measure(o, MEASURE_BYTES_OUT, v.bytes_out);
	value_set_measure(o, MEASURE_DROPS, v.drops);
	return o;
}

json_t *top_json(const struct top *t, enum top_by by, size_t limit, struct table *table,
		 struct counters *const *workers, size_t n)
{
	const struct top_row *rows;
	size_t count = top_rows(t, by, &rows);
	json_t *o = json_object(), *list = json_array();

	for (size_t i = 0; i < count && i < limit; i++) {
		json_t *row = row_json(&rows[i], table, workers, n);
		if (row)
			(void)json_array_append_new(list, row);
	}
	value_set(o, "by", json_string(top_by_name(by)));
	value_set(o, "window_ms", top_window(t) > 0 ? json_integer(top_window(t)) : json_null());
	value_set(o, "tunnels", list);
	return o;
}
