#include "popd/ctl/packet_show.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "lib/digest.h"
#include "lib/num.h"
#include "lib/wire/ipv4.h"
#include "popd/ctl/packet.h"
#include "popd/ctl/pcap.h"

enum { BYTES = 4096, TIME_TEXT = 40 };

/* A packet's bytes, out of an object of the line. */
struct bytes {
	enum packet_kind kind;
	size_t len, orig_len;
	uint8_t data[BYTES];
};

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "?";
}

/* The object's packet; its key `kind` says what the bytes are. false: there is none. */
static bool take_bytes(const json_t *o, const char *kind, struct bytes *b)
{
	const char *hex = json_string_value(json_object_get(o, "packet"));
	json_int_t orig_len = json_integer_value(json_object_get(o, "length"));

	b->kind = packet_kind_of(text_of(o, kind));
	b->len = hex ? strlen(hex) / 2 : 0;
	if (!hex || b->len > sizeof(b->data) || hex_decode(hex, strlen(hex), b->data, b->len) != 0)
		return false;
	b->orig_len = orig_len > 0 && (size_t)orig_len > b->len ? (size_t)orig_len : b->len;
	return true;
}

/* ---- the answer ---- */

static uint16_t port_of(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 && v <= UINT16_MAX ? (uint16_t)v : 0;
}

int packet_show_begin(struct packet_show *s, const char *answer, FILE *err)
{
	json_t *o = json_loads(answer, 0, NULL), *list = json_object_get(o, "following");
	const char *refused = json_string_value(json_object_get(o, "error")),
		   *ipv4 = text_of(o, "ipv4");
	bool good = !refused && json_is_array(list) && ip4_parse(ipv4, strlen(ipv4), &s->ipv4) == 0;

	s->ayiya_port = port_of(o, "ayiya_port");
	s->heartbeat_port = port_of(o, "heartbeat_port");
	if (!good) {
		fprintf(err, "popctl: %s\n", refused ? refused : "popd's answer is not understood");
	} else {
		fputs("popctl: following", err);
		for (size_t i = 0; i < json_array_size(list); i++) {
			const char *name = json_string_value(json_array_get(list, i));
			fprintf(err, " %s", name ? name : "?");
		}
		fputs(json_is_true(json_object_get(o, "all")) ? " all packets; Ctrl-C to stop\n"
							      : "; Ctrl-C to stop\n",
		      err);
	}
	if (good && (s->form == FORM_OUTER || s->form == FORM_INNER))
		pcap_begin(s->out, s->form == FORM_OUTER ? PCAP_IPV4 : PCAP_IPV6);
	json_decref(o);
	return good ? 0 : 1;
}

/* ---- text ---- */

static const char *time_text(int64_t wall_us, char out[static TIME_TEXT])
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm tm;

	if (!gmtime_r(&seconds, &tm))
		memset(&tm, 0, sizeof(tm));
	snprintf(out, TIME_TEXT, "%02d:%02d:%02d.%06d", tm.tm_hour, tm.tm_min, tm.tm_sec,
		 (int)(wall_us % 1000000));
	return out;
}

/* The tunnel to print: the packet's, or that of the drop, or the one it goes to. */
static const char *tunnel_of(const json_t *o)
{
	const json_t *first = json_array_get(json_object_get(o, "out"), 0);
	const json_t *candidates[] = { json_object_get(o, "tunnel"), json_object_get(o, "charged"),
				       json_object_get(first, "tunnel") };

	for (size_t i = 0; i < ARRAY_LEN(candidates); i++)
		if (json_is_string(candidates[i]))
			return json_string_value(candidates[i]);
	return "-";
}

static void print_out(const json_t *out, FILE *f)
{
	char text[PACKET_TEXT];
	struct bytes b;
	bool uplink = strcmp(text_of(out, "kind"), "tun") == 0;

	if (json_is_true(json_object_get(out, "answer")))
		fprintf(f, "answered with %s",
			take_bytes(out, "kind", &b) ? packet_text(b.kind, b.data, b.len, text)
						    : "?");
	else if (uplink)
		fputs("to the uplink", f);
	else
		fprintf(f, "to %s at %s", text_of(out, "tunnel"), text_of(out, "to"));
}

static void print_verdict(const json_t *o, FILE *f)
{
	const json_t *outs = json_object_get(o, "out"), *drop = json_object_get(o, "drop");

	if (json_is_string(drop))
		fprintf(f, "dropped: %s", json_string_value(drop));
	else if (json_array_size(outs) == 0)
		fputs("accepted", f);
	for (size_t i = 0; i < json_array_size(outs); i++) {
		if (i > 0 || json_is_string(drop))
			fputs(", ", f);
		print_out(json_array_get(outs, i), f);
	}
}

static void show_text(struct packet_show *s, const json_t *o, const struct bytes *b)
{
	char at[TIME_TEXT], text[PACKET_TEXT];
	const char *source = text_of(o, "source"), *from = text_of(o, "from");
	bool outer = strcmp(source, "tun") != 0 && strcmp(source, "probe") != 0 &&
		     strcmp(source, "path_challenge") != 0;

	fprintf(s->out, "%s %s %s%s%s: %s, %zu bytes: ",
		time_text(json_integer_value(json_object_get(o, "at")), at), tunnel_of(o),
		outer ? source : "", outer ? " " : "", from,
		packet_text(b->kind, b->data, b->len, text), b->orig_len);
	print_verdict(o, s->out);
	fputc('\n', s->out);
	s->shown++;
}

/* ---- capture files ---- */

/* "a.b.c.d:port" or "a.b.c.d"; else none. */
static struct endpoint4 endpoint(const char *text)
{
	size_t len = strcspn(text, ":");
	struct endpoint4 e = { { 0 }, 0 };
	uint64_t port = 0;

	if (ip4_parse(text, len, &e.addr) != 0)
		return e;
	if (text[len] == ':' &&
	    num_parse_u64(text + len + 1, strlen(text + len + 1), 0, UINT16_MAX, &port) == 0)
		e.port = (uint16_t)port;
	return e;
}

static void write_outer(struct packet_show *s, int64_t at, const json_t *o, const struct bytes *b,
			bool leaves)
{
	static const uint8_t protocols[] = { [PACKET_AYIYA] = IPV4_PROTOCOL_UDP,
					     [PACKET_HEARTBEAT] = IPV4_PROTOCOL_UDP,
					     [PACKET_PROTO41] = IPV4_PROTOCOL_IPV6,
					     [PACKET_ICMP4] = IPV4_PROTOCOL_ICMP,
					     [PACKET_OTHER] = 0 };
	struct endpoint4 pop = { s->ipv4,
				 b->kind == PACKET_HEARTBEAT ? s->heartbeat_port : s->ayiya_port };
	struct endpoint4 peer = endpoint(text_of(o, leaves ? "to" : "from"));
	struct pcap_outer outer = {
		.from = leaves ? pop : peer,
		.to = leaves ? peer : pop,
		.protocol = protocols[b->kind],
		.tos = (uint8_t)json_integer_value(json_object_get(o, "tos")),
		.dont_fragment = json_is_true(json_object_get(o, "df")),
	};

	if (outer.protocol == 0) /* no outer packet */
		return;
	pcap_outer(s->out, at, &outer, b->data, b->len, b->orig_len);
	s->shown++;
}

static void write_inner(struct packet_show *s, int64_t at, const struct bytes *b)
{
	size_t len;
	const uint8_t *inner = packet_inner(b->kind, b->data, b->len, &len);

	if (!inner)
		return;
	pcap_inner(s->out, at, inner, len, b->orig_len - (b->len - len));
	s->shown++;
}

/* Outer: all packets with an outer header. Inner: the packet that came in and popd's own answers; a
 * forwarded packet is the same again. */
static void write_packets(struct packet_show *s, const json_t *o, const struct bytes *came)
{
	const json_t *outs = json_object_get(o, "out");
	int64_t at = json_integer_value(json_object_get(o, "at"));

	if (s->form == FORM_OUTER)
		write_outer(s, at, o, came, false);
	else
		write_inner(s, at, came);
	for (size_t i = 0; i < json_array_size(outs) && !packet_show_is_done(s); i++) {
		const json_t *out = json_array_get(outs, i);
		struct bytes left;
		if (!take_bytes(out, "kind", &left))
			continue;
		if (s->form == FORM_OUTER && strcmp(text_of(out, "kind"), "tun") != 0)
			write_outer(s, at, out, &left, true);
		else if (s->form == FORM_INNER && json_is_true(json_object_get(out, "answer")))
			write_inner(s, at, &left);
	}
}

/* ---- lines ---- */

bool packet_show_is_done(const struct packet_show *s)
{
	return s->max > 0 && s->shown >= s->max;
}

static int show_packet(struct packet_show *s, const json_t *o, const char *line)
{
	struct bytes came;

	if (!take_bytes(o, "source", &came))
		return 1;
	if (s->form == FORM_JSON) {
		fprintf(s->out, "%s\n", line);
		s->shown++;
	} else if (s->form == FORM_TEXT) {
		show_text(s, o, &came);
	} else {
		write_packets(s, o, &came);
	}
	return 0;
}

int packet_show_line(struct packet_show *s, const char *line, FILE *err)
{
	json_t *o = json_loads(line, 0, NULL);
	const json_t *lost = json_object_get(o, "lost");
	int status = 0;

	if (json_is_integer(lost))
		fprintf(err,
			"popctl: %" JSON_INTEGER_FORMAT
			" packets were lost: popctl did not read them fast enough\n",
			json_integer_value(lost));
	else
		status = show_packet(s, o, line);
	json_decref(o);
	return status;
}
