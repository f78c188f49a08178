#include "popd/observe/errors_json.h"

#include "lib/clock.h"
#include "lib/digest.h"
#include "popd/core/drop_detail.h"
#include "popd/core/job.h"
#include "popd/observe/value_json.h"

static const char *const source_names[] = {
	[JOB_FROM_TUN] = "tun",
	[JOB_FROM_AYIYA] = "ayiya",
	[JOB_FROM_HEARTBEAT] = "heartbeat",
	[JOB_FROM_PROTO41] = "proto41",
	[JOB_PROBE] = "probe",
	[JOB_FROM_ICMP4] = "icmp4",
};

const char *job_source_name(enum job_source s)
{
	return (unsigned)s < ARRAY_LEN(source_names) ? source_names[s] : "?";
}

static json_t *peer(const struct drop_note *n)
{
	char text[ENDPOINT4_TEXT];

	if (n->peer)
		return json_string(endpoint4_text(endpoint_of(n->peer), text));
	return json_string(n->source == JOB_PROBE ? "popd" : "uplink");
}

static void set_last(json_t *o, const struct drop_note *n, uint32_t now)
{
	char at[CLOCK_TEXT], sentence[DROP_DETAIL_TEXT], hex[2 * DROP_HEAD + 1];

	hex_encode(n->head, n->head_len, hex);
	value_set(o, "at", json_string(wall_text((wall_t){ n->time }, at)));
	value_set(o, "age", json_integer(now > n->time ? now - n->time : 0));
	value_set(o, "tunnel", value_tunnel(n->tunnel));
	value_set(o, "from", n->refused ? json_null() : peer(n));
	if (n->refused)
		value_set(o, "to", peer(n));
	value_set(o, "sentence", json_string(drop_detail_text(n, sentence)));
	value_set(o, "source", json_string(job_source_name(n->source)));
	value_set(o, "length", json_integer(n->len));
	value_set(o, "packet", json_string(hex));
}

static void set_nothing(json_t *o, enum drop why)
{
	static const char *const keys[] = { "at", "age", "tunnel", "from" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		value_set(o, keys[i], json_null());
	value_set(o, "sentence", json_string(drop_text(why)));
}

json_t *errors_json_rows(const struct errors_view *v, uint32_t now, bool all)
{
	json_t *list = json_array();

	for (enum drop d = 1; d < DROP__COUNT; d++) {
		const struct errors_row *row = &v->rows[d];
		if (row->count == 0 && !all)
			continue;
		json_t *o = json_object();
		value_set(o, "name", json_string(drop_name(d)));
		value_set(o, "count", json_integer((json_int_t)row->count));
		if (row->has_last)
			set_last(o, &row->last, now);
		else
			set_nothing(o, d);
		value_set(o, "text", json_string(drop_text(d)));
		(void)json_array_append_new(list, o);
	}
	return list;
}
