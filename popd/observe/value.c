#include "popd/observe/value.h"

#include <inttypes.h>

#include "lib/clock.h"

json_t *value_number(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

json_t *value_time(uint32_t wall)
{
	char text[CLOCK_TEXT];

	return wall ? json_string(wall_text((wall_t){ wall }, text)) : json_null();
}

json_t *value_age(uint32_t wall, uint32_t now)
{
	return wall ? value_number(now > wall ? now - wall : 0) : json_null();
}

json_t *value_endpoint(uint64_t word)
{
	char text[ENDPOINT4_TEXT];

	return word ? json_string(endpoint4_text(endpoint_of(word), text)) : json_null();
}

json_t *value_tunnel(uint32_t id)
{
	return id ? json_sprintf("T%" PRIu32, id) : json_null();
}

json_t *value_address(struct ip6 ip)
{
	char text[IP6_TEXT];

	return json_string(ip6_text(&ip, text));
}

json_t *value_prefix(const struct prefix6 *p)
{
	char text[PREFIX6_TEXT];

	return json_string(prefix6_text(p, text));
}

json_t *value_source(enum job_source s)
{
	static const char *const names[] = {
		[JOB_FROM_TUN] = "tun",
		[JOB_FROM_AYIYA] = "ayiya",
		[JOB_FROM_HEARTBEAT] = "heartbeat",
		[JOB_FROM_PROTO41] = "proto41",
		[JOB_PROBE] = "probe",
		[JOB_FROM_ICMP4] = "icmp4",
		[JOB_ASK] = "path_challenge",
	};

	return json_string((unsigned)s < ARRAY_LEN(names) ? names[s] : "?");
}

static json_t *sentence_under(const char *key, const char *sentence)
{
	json_t *o = json_object();

	value_set(o, key, json_string(sentence));
	return o;
}

json_t *value_refusal(const char *sentence)
{
	return sentence_under("error", sentence);
}

json_t *value_message(const char *sentence)
{
	return sentence_under("message", sentence);
}

void value_set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

void value_set_measure(json_t *object, enum measure m, uint64_t value)
{
	value_set(object, measure_name(m), value_number(value));
}

void value_set_traffic(json_t *o, const struct view_pop *p)
{
	value_set_measure(o, MEASURE_PACKETS_IN, p->packets_in);
	value_set_measure(o, MEASURE_BYTES_IN, p->bytes_in);
	value_set_measure(o, MEASURE_PACKETS_OUT, p->packets_out);
	value_set_measure(o, MEASURE_BYTES_OUT, p->bytes_out);
	value_set_measure(o, MEASURE_KEEPALIVES, p->beats);
	value_set_measure(o, MEASURE_ENDPOINT_MOVES, p->moves);
	value_set_measure(o, MEASURE_PATH_CHALLENGES, p->path_challenges);
	value_set_measure(o, MEASURE_PATH_RESPONSES, p->path_responses);
	value_set_measure(o, MEASURE_ICMP_ERRORS_SENT, p->answers);
	value_set_measure(o, MEASURE_ICMP_ERRORS_LIMITED, p->answers_limited);
}
