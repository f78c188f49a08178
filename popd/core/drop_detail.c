#include "popd/core/drop_detail.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/wire/be.h"
#include "lib/wire/ipv6.h"
#include "popd/core/encap.h"

struct detail {
	/* NULL: there is no detail, or pipeline.c fills it */
	void (*take)(const struct drop_subject *s, uint64_t out[static 2]);
	void (*say)(const struct drop_note *n, char *out); /* NULL: the general sentence */
	bool of_inner; /* `take` needs the inner packet; without one it is not called */
};

static void say(char *out, const char *fmt, ...) FORMAT(2, 3);
static void say(char *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out, DROP_DETAIL_TEXT, fmt, ap);
	va_end(ap);
}

static const char *endpoint_text(uint64_t endpoint, char out[static ENDPOINT4_TEXT])
{
	return endpoint ? endpoint4_text(endpoint_of(endpoint), out) : strcpy(out, "none");
}

static uint64_t endpoint_now(const struct tunnel *t)
{
	return t ? atomic_load_explicit(&t->endpoint, memory_order_relaxed) : 0;
}

/* ---- the outer packet, from what every note has ---- */

static void say_length(const struct drop_note *n, char *out)
{
	say(out, "%s: %" PRIu32 " bytes", drop_text(n->why), n->len);
}

static void say_peer(const struct drop_note *n, char *out)
{
	char text[ENDPOINT4_TEXT];

	say(out, "the outer IPv4 source address %s cannot be a tunnel endpoint",
	    endpoint_text(n->peer, text));
}

static void say_peer_pop(const struct drop_note *n, char *out)
{
	char text[ENDPOINT4_TEXT];

	say(out, "%s: %s", drop_text(n->why), endpoint_text(n->peer, text));
}

static void say_first_bytes(const struct drop_note *n, char *out)
{
	if (n->head_len >= 4)
		say(out, "%s: it begins with %02x %02x %02x %02x", drop_text(n->why), n->head[0],
		    n->head[1], n->head[2], n->head[3]);
}

/* ---- AYIYA ---- */

static void take_method(const struct drop_subject *s, uint64_t out[static 2])
{
	out[0] = s->work->ayiya.hash;
	out[1] = s->work->ayiya.auth;
}

static void say_method(const struct drop_note *n, char *out)
{
	static const char *const names[] = {
		[AYIYA_HASH_MD5] = " (MD5)", [AYIYA_HASH_UMAC] = " (UMAC)"
	};
	const char *name = n->detail[0] < ARRAY_LEN(names) ? names[n->detail[0]] : NULL;

	if (n->detail[1] != AYIYA_AUTH_SECRET)
		say(out,
		    "signed by authentication method %" PRIu64
		    "; only shared secrets (1) are supported",
		    n->detail[1]);
	else
		say(out, "signed with hash method %" PRIu64 "%s, which is not supported",
		    n->detail[0], name ? name : "");
}

static void take_opcode(const struct drop_subject *s, uint64_t out[static 2])
{
	out[0] = s->work->ayiya.opcode;
}

static void say_opcode(const struct drop_note *n, char *out)
{
	say(out, "AYIYA opcode %" PRIu64 " is not supported", n->detail[0]);
}

static void take_next_header(const struct drop_subject *s, uint64_t out[static 2])
{
	out[0] = s->work->ayiya.next_header;
}

static void say_next_header(const struct drop_note *n, char *out)
{
	say(out, "the AYIYA payload has protocol %" PRIu64 ", neither IPv6 (41) nor none (59)",
	    n->detail[0]);
}

/* The bytes of the payload, and those of the inner packet. */
static void take_trailing(const struct drop_subject *s, uint64_t out[static 2])
{
	const uint8_t *payload = s->job->data + s->work->ayiya.header_len;
	uint32_t len = s->job->len - s->work->ayiya.header_len, inner;

	out[0] = len;
	if (ipv6_check(payload, len, &inner) == 0)
		out[1] = inner;
}

static void say_trailing(const struct drop_note *n, char *out)
{
	say(out, "%s: %" PRIu64 " bytes instead of %" PRIu64, drop_text(n->why), n->detail[0],
	    n->detail[1]);
}

static void say_stranger(const struct drop_note *n, char *out)
{
	char from[IP4_TEXT];

	say(out, "somebody at %s does not know this tunnel's secret",
	    ip4_text(endpoint_of(n->peer).addr, from));
}

/* ---- the tunnel, and the age of the packet ---- */

static void put_address(uint64_t out[static 2], const struct ip6 *ip)
{
	memcpy(out, ip->b, sizeof(ip->b));
}

static const char *address_text(const struct drop_note *n, char out[static IP6_TEXT])
{
	struct ip6 ip;

	memcpy(ip.b, n->detail, sizeof(ip.b));
	return ip6_text(&ip, out);
}

static void take_beat_address(const struct drop_subject *s, uint64_t out[static 2])
{
	out[0] = s->work->beat.address.v;
}

static void say_beat_address(const struct drop_note *n, char *out)
{
	char named[IP4_TEXT], from[IP4_TEXT];

	say(out, "the heartbeat names %s but came from %s",
	    ip4_text((struct ip4){ (uint32_t)n->detail[0] }, named),
	    ip4_text(endpoint_of(n->peer).addr, from));
}

static void take_identity(const struct drop_subject *s, uint64_t out[static 2])
{
	if (s->work->identity)
		put_address(out, s->work->identity);
}

static void say_identity_named(const struct drop_note *n, char *out)
{
	char text[IP6_TEXT];

	say(out, "%s: it names %s", drop_text(n->why), address_text(n, text));
}

static void say_identity(const struct drop_note *n, char *out)
{
	char text[IP6_TEXT];

	if (n->source == JOB_FROM_PROTO41)
		say(out, "no tunnel on this PoP has the inner source address %s",
		    address_text(n, text));
	else if (!job_is_own(n->source))
		say(out, "no tunnel on this PoP has the client address %s", address_text(n, text));
}

static void take_type(const struct drop_subject *s, uint64_t out[static 2])
{
	out[0] = s->conf ? s->conf->type : TUNNEL_TYPE__COUNT;
}

static void say_type(const struct drop_note *n, char *out)
{
	static const char *const packets[] = { [JOB_FROM_AYIYA] = "an AYIYA packet",
					       [JOB_FROM_HEARTBEAT] = "a heartbeat",
					       [JOB_FROM_PROTO41] = "a protocol-41 packet" };
	const char *packet = n->source < ARRAY_LEN(packets) ? packets[n->source] : NULL;

	say(out, "%s, but the tunnel's type is %s", packet ? packet : "a packet",
	    tunnel_type_name((enum tunnel_type)n->detail[0]));
}

/* 1 + the seconds since; 0: never. */
static void take_heard(const struct drop_subject *s, uint64_t out[static 2])
{
	mono_s_t heard = s->tunnel ? tunnel_last_heard(s->tunnel) : (mono_s_t){ 0 };

	out[0] = heard.s == 0              ? 0
		 : heard.s > s->now.mono.s ? 1
					   : 1 + (uint64_t)(s->now.mono.s - heard.s);
}

static void say_heard(const struct drop_note *n, char *out)
{
	if (n->detail[0] == 0)
		say(out, "the tunnel is down: its client has never sent a valid packet");
	else
		say(out,
		    "the tunnel is down: its client has not sent a valid packet for %" PRIu64 " s",
		    n->detail[0] - 1);
}

static uint32_t epoch_of(const struct drop_subject *s)
{
	return s->job->source == JOB_FROM_AYIYA ? s->work->ayiya.epoch : s->work->beat.epoch;
}

static void take_skew(const struct drop_subject *s, uint64_t out[static 2])
{
	out[0] = (uint64_t)((int64_t)epoch_of(s) - s->now.wall);
}

static void say_skew(const struct drop_note *n, char *out)
{
	int64_t s = (int64_t)n->detail[0];

	say(out, "the client's clock is %" PRId64 " s %s ours", s < 0 ? -s : s,
	    s < 0 ? "behind" : "ahead of");
}

static void take_replay(const struct drop_subject *s, uint64_t out[static 2])
{
	uint32_t newest = s->tunnel ? atomic_load_explicit(&s->tunnel->newest, memory_order_relaxed)
				    : epoch_of(s);

	out[0] = endpoint_now(s->tunnel);
	out[1] = (uint64_t)((int64_t)newest - epoch_of(s));
}

static void say_stale(const struct drop_note *n, char *out)
{
	int64_t s = (int64_t)n->detail[1];

	if (s > 0)
		say(out, "the packet is %" PRId64 " s older than the tunnel's newest packet", s);
}

static void say_move(const struct drop_note *n, char *out)
{
	char from[ENDPOINT4_TEXT], endpoint[ENDPOINT4_TEXT];

	say(out,
	    "from %s instead of the tunnel's endpoint %s, but not newer than the tunnel's newest packet: a replay, unless that address answers",
	    endpoint_text(n->peer, from), endpoint_text(n->detail[0], endpoint));
}

static void take_endpoint(const struct drop_subject *s, uint64_t out[static 2])
{
	out[0] = endpoint_now(s->tunnel);
}

static void say_mismatch(const struct drop_note *n, char *out)
{
	char from[ENDPOINT4_TEXT], endpoint[ENDPOINT4_TEXT];

	say(out, "protocol 41 from %s, but the tunnel's endpoint is %s",
	    endpoint_text(n->peer, from), endpoint_text(n->detail[0], endpoint));
}

/* ---- ICMPv4 errors; pipeline.c fills the detail of those that it counts itself ---- */

static void take_icmp_error(const struct drop_subject *s, uint64_t out[static 2])
{
	out[0] = s->job->icmp_error.about;
	out[1] = s->job->icmp_error.mtu;
}

static void say_icmp_error(const struct drop_note *n, char *out)
{
	static const char *const reports[DROP__COUNT] = {
		[DROP_OUTER_UNREACHABLE] = "reports that it cannot deliver our packets to",
		[DROP_OUTER_TIME_EXCEEDED] =
			"reports a routing loop or missing fragments of our packets to",
		[DROP_OUTER_PARAMETER] = "rejects the IPv4 header of our packets to",
	};
	char from[ENDPOINT4_TEXT], about[ENDPOINT4_TEXT];

	say(out, "%s %s %s", endpoint_text(n->peer, from), reports[n->why],
	    endpoint_text(n->detail[0], about));
}

/* `refused`: the kernel is the first router on the path. */
static void say_path_mtu(const struct drop_note *n, char *out)
{
	char from[ENDPOINT4_TEXT], about[ENDPOINT4_TEXT];

	if (n->refused)
		say(out,
		    "the IPv4 packet of %" PRIu64 " bytes to %s exceeds the MTU of our own link",
		    n->detail[0], endpoint_text(n->peer, about));
	else
		say(out, "%s reports that the IPv4 path to %s has an MTU of %" PRIu64 " bytes",
		    endpoint_text(n->peer, from), endpoint_text(n->detail[0], about), n->detail[1]);
}

/* ---- the inner packet ---- */

/* Where a packet that proved not to be an inner packet begins. */
static const uint8_t *inner_of(const struct drop_subject *s, uint32_t *len)
{
	uint32_t header = s->job->source == JOB_FROM_AYIYA ? s->work->ayiya.header_len : 0;

	*len = s->job->len - header;
	return s->job->data + header;
}

static void take_inner_length(const struct drop_subject *s, uint64_t out[static 2])
{
	uint32_t len;
	const uint8_t *inner = inner_of(s, &len);

	out[0] = len;
	out[1] = len < IPV6_HEADER ? 0 : IPV6_HEADER + be16_load(inner + IPV6_AT_LENGTH);
}

static void say_inner_length(const struct drop_note *n, char *out)
{
	if (n->detail[1] == 0)
		say(out, "the inner packet has %" PRIu64 " bytes, fewer than an IPv6 header",
		    n->detail[0]);
	else
		say(out,
		    "the inner packet has %" PRIu64 " bytes, but its IPv6 header says %" PRIu64,
		    n->detail[0], n->detail[1]);
}

static void take_inner_version(const struct drop_subject *s, uint64_t out[static 2])
{
	uint32_t len;
	const uint8_t *inner = inner_of(s, &len);

	out[0] = len > 0 ? inner[0] >> 4 : 0;
}

static void say_inner_version(const struct drop_note *n, char *out)
{
	say(out, "the inner packet has IP version %" PRIu64 ", not 6", n->detail[0]);
}

/* The general sentence, and the address that it is about. */
static void say_address(const struct drop_note *n, char *out)
{
	char text[IP6_TEXT];

	say(out, "%s: %s", drop_text(n->why), address_text(n, text));
}

static void take_source(const struct drop_subject *s, uint64_t out[static 2])
{
	struct ip6 ip = ipv6_source(s->work->inner);

	put_address(out, &ip);
}

static void take_destination(const struct drop_subject *s, uint64_t out[static 2])
{
	struct ip6 ip = ipv6_destination(s->work->inner);

	put_address(out, &ip);
}

static void say_link_local(const struct drop_note *n, char *out)
{
	char text[IP6_TEXT];

	if (n->source == JOB_FROM_TUN)
		say(out,
		    "from the uplink with a link-local source (the sender has no global IPv6 address) to %s",
		    address_text(n, text));
	else
		say_address(n, out);
}

/* The address that would bring the packet back to us. */
static void take_loop(const struct drop_subject *s, uint64_t out[static 2])
{
	struct ip6 ip = ipv6_source(s->work->inner);

	if (!ipv6_embeds(&ip, s->pop->ipv4))
		ip = ipv6_destination(s->work->inner);
	put_address(out, &ip);
}

static void take_too_big(const struct drop_subject *s, uint64_t out[static 2])
{
	out[0] = s->work->inner_len;
	if (s->tunnel && s->conf)
		out[1] = encap_mtu(s->tunnel, s->conf, endpoint_now(s->tunnel), s->now.mono);
}

static void say_too_big(const struct drop_note *n, char *out)
{
	say(out, "the packet of %" PRIu64 " bytes is larger than the tunnel's MTU of %" PRIu64,
	    n->detail[0], n->detail[1]);
}

/* The protocol, and 1 + the port asked for, or 1 + the ICMPv6 type. */
static void take_service(const struct drop_subject *s, uint64_t out[static 2])
{
	const struct work *w = s->work;
	struct ipv6_upper u = ipv6_upper(w->inner, w->inner_len);
	const uint8_t *upper = w->inner + u.offset;
	uint32_t left = w->inner_len - u.offset;

	out[0] = u.next;
	if (u.is_later)
		return;
	if (u.next == IPV6_NEXT_ICMP && left >= 1)
		out[1] = UINT64_C(1) + upper[0];
	else if ((u.next == IPV6_NEXT_TCP || u.next == IPV6_NEXT_UDP) && left >= 4)
		out[1] = UINT64_C(1) + be16_load(upper + 2);
}

/* The general sentence, and "UDP port 5", "ICMPv6 type 129" or "protocol 89". */
static void say_service(const struct drop_note *n, char *out)
{
	uint64_t value = n->detail[1] - 1;

	if (n->detail[1] > 0 && n->detail[0] == IPV6_NEXT_ICMP)
		say(out, "%s: ICMPv6 type %" PRIu64, drop_text(n->why), value);
	else if (n->detail[1] > 0)
		say(out, "%s: %s port %" PRIu64, drop_text(n->why),
		    n->detail[0] == IPV6_NEXT_TCP ? "TCP" : "UDP", value);
	else
		say(out, "%s: protocol %" PRIu64, drop_text(n->why), n->detail[0]);
}

/* ---- what the kernel refused: pipeline.c fills the detail: errno ---- */

static void say_error(const struct drop_note *n, char *out)
{
	const char *error = strerrordesc_np((int)n->detail[0]);
	char to[ENDPOINT4_TEXT];

	if (!error)
		error = "no reason given";
	if (n->why == DROP_TUN_REFUSED)
		say(out, "%s: %s", drop_text(n->why), error);
	else
		say(out, "%s to %s: %s", drop_text(n->why), endpoint_text(n->peer, to), error);
}

/* ---- the kinds of detail, and the reasons ---- */

/* clang-format off */
static const struct detail
	detail_none = { NULL, NULL, false },
	detail_length = { NULL, say_length, false },
	detail_peer = { NULL, say_peer, false },
	detail_peer_pop = { NULL, say_peer_pop, false },
	detail_first_bytes = { NULL, say_first_bytes, false },
	detail_method = { take_method, say_method, false },
	detail_opcode = { take_opcode, say_opcode, false },
	detail_next_header = { take_next_header, say_next_header, false },
	detail_trailing = { take_trailing, say_trailing, false },
	detail_stranger = { NULL, say_stranger, false },
	detail_identity_named = { take_identity, say_identity_named, false },
	detail_beat_address = { take_beat_address, say_beat_address, false },
	detail_identity = { take_identity, say_identity, false },
	detail_type = { take_type, say_type, false },
	detail_heard = { take_heard, say_heard, false },
	detail_skew = { take_skew, say_skew, false },
	detail_stale = { take_replay, say_stale, false },
	detail_move = { take_replay, say_move, false },
	detail_mismatch = { take_endpoint, say_mismatch, false },
	detail_icmp_error = { take_icmp_error, say_icmp_error, false },
	detail_path_mtu = { take_icmp_error, say_path_mtu, false },
	detail_inner_length = { take_inner_length, say_inner_length, false },
	detail_inner_version = { take_inner_version, say_inner_version, false },
	detail_source = { take_source, say_address, true },
	detail_destination = { take_destination, say_address, true },
	detail_link_local = { take_destination, say_link_local, true },
	detail_loop = { take_loop, say_address, true },
	detail_too_big = { take_too_big, say_too_big, true },
	detail_service = { take_service, say_service, true },
	detail_error = { NULL, say_error, false };
/* clang-format on */

static const struct detail *const details[DROP__COUNT] = { [DROP_NONE] = &detail_none,
#define X(e, name, detail, text) [DROP_##e] = &detail_##detail,
							   DROP_LIST(X)
#undef X
};

void drop_detail_take(enum drop why, const struct drop_subject *s, uint64_t out[static 2])
{
	const struct detail *d = details[why];

	if (d->take && (s->work->inner || !d->of_inner))
		d->take(s, out);
}

const char *drop_detail_text(const struct drop_note *n, char out[static DROP_DETAIL_TEXT])
{
	say(out, "%s", drop_text(n->why));
	if ((unsigned)n->why < DROP__COUNT && details[n->why]->say)
		details[n->why]->say(n, out);
	return out;
}
