#include "popd/observe/trace_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "lib/digest.h"
#include "popd/observe/errors_json.h"

static const char *const out_names[] = {
	[OUT_NONE] = "none", [OUT_TUN] = "tun", [OUT_UDP] = "udp", [OUT_PROTO41] = "proto41"
};

static void set(json_t *o, const char *key, json_t *value)
{
	(void)json_object_set_new(o, key, value);
}

static json_t *tunnel(uint32_t id)
{
	return id ? json_sprintf("T%" PRIu32, id) : json_null();
}

static json_t *hex(const uint8_t *bytes, uint32_t len, uint32_t snap, uint32_t room)
{
	char text[2 * TAP_SNAP + 1];
	uint32_t n = len < snap ? len : snap;

	n = n < room ? n : room;
	hex_encode(bytes, n, text);
	return json_stringn(text, (size_t)2 * n);
}

static json_t *from(const struct tap_packet *p)
{
	char text[ENDPOINT4_TEXT];

	if (p->source == JOB_FROM_TUN)
		return json_string("uplink");
	return json_string(p->source == JOB_PROBE ? "popd" : endpoint4_text(p->from, text));
}

static json_t *out_object(const struct tap_out *out, const uint8_t *bytes, uint32_t snap,
			  uint32_t room)
{
	char text[ENDPOINT4_TEXT];
	json_t *o = json_object();

	set(o, "kind", json_string(out_names[out->kind]));
	set(o, "answer", json_boolean(out->answer));
	set(o, "tunnel", tunnel(out->tunnel));
	set(o, "to", json_string(out->kind == OUT_TUN ? "uplink" : endpoint4_text(out->to, text)));
	set(o, "tos", json_integer(out->tos));
	set(o, "df", json_boolean(out->dont_fragment));
	set(o, "length", json_integer(out->len));
	set(o, "packet", hex(bytes, out->len, snap, room));
	return o;
}

char *trace_json_packet(const struct tap_packet *p, uint32_t snap)
{
	json_t *o = json_object(), *outs = json_array();

	set(o, "at", json_integer(p->wall_us));
	set(o, "tunnel", tunnel(p->tunnel));
	set(o, "charged", tunnel(p->charged));
	set(o, "source", json_string(job_source_name(p->source)));
	set(o, "from", from(p));
	set(o, "tos", json_integer(p->tos));
	set(o, "length", json_integer(p->len));
	set(o, "packet", hex(p->data, p->len, snap, sizeof(p->data)));
	set(o, "drop", p->drop ? json_string(drop_name(p->drop)) : json_null());
	set(o, "text", p->drop ? json_string(drop_text(p->drop)) : json_null());
	if (p->out[0].kind != OUT_NONE)
		(void)json_array_append_new(outs,
					    out_object(&p->out[0], p->sent, snap, sizeof(p->sent)));
	if (p->out[1].kind != OUT_NONE)
		(void)json_array_append_new(outs,
					    out_object(&p->out[1], p->echo, snap, sizeof(p->echo)));
	set(o, "out", outs);
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}
