/* One function a reason, or a few that are alike; `detail` is as note.c left it. */
#include "popd/core/drop_say.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/ip.h"
#include "lib/wire/ayiya.h"
#include "lib/wire/ipv6.h"
#include "popd/core/pipeline.h"

static const char *address(const struct drop_note *n, char out[static IP6_TEXT])
{
	struct ip6 ip;

	memcpy(ip.b, n->detail, sizeof(ip.b));
	return ip6_text(&ip, out);
}

static const char *place(uint64_t endpoint, char out[static ENDPOINT4_TEXT])
{
	return endpoint ? endpoint4_text(endpoint_of(endpoint), out) : strcpy(out, "none");
}

static void outer_short(const struct drop_note *n, char *out)
{
	snprintf(out, DROP_SAY, "the packet ends before its tunnel header does: %" PRIu32 " bytes",
		 n->len);
}

static void outer_martian(const struct drop_note *n, char *out)
{
	char text[ENDPOINT4_TEXT];

	snprintf(out, DROP_SAY, "the outer IPv4 source %s cannot be an endpoint",
		 place(n->peer, text));
}

static void ayiya_form(const struct drop_note *n, char *out)
{
	if (n->head_len < 4)
		return;
	snprintf(
		out, DROP_SAY,
		"begins with %02x %02x %02x %02x: not the AYIYA header of a 16-byte identity with a shared secret",
		n->head[0], n->head[1], n->head[2], n->head[3]);
}

static void ayiya_method(const struct drop_note *n, char *out)
{
	static const char *const names[] = {
		[AYIYA_HASH_MD5] = " (MD5)", [AYIYA_HASH_UMAC] = " (UMAC)"
	};
	const char *name = n->detail[0] < ARRAY_LEN(names) && names[n->detail[0]]
				   ? names[n->detail[0]]
				   : "";

	if (n->detail[1] != AYIYA_AUTH_SECRET)
		snprintf(out, DROP_SAY,
			 "signed by authentication method %" PRIu64 ", not by a shared secret",
			 n->detail[1]);
	else
		snprintf(out, DROP_SAY,
			 "signed with hash method %" PRIu64 "%s, which is not served here",
			 n->detail[0], name);
}

static void ayiya_opcode(const struct drop_note *n, char *out)
{
	snprintf(out, DROP_SAY, "AYIYA opcode %" PRIu64 ", which a client has no use for",
		 n->detail[0]);
}

static void ayiya_next_header(const struct drop_note *n, char *out)
{
	snprintf(out, DROP_SAY,
		 "the payload is of protocol %" PRIu64 ", neither IPv6 (41) nor nothing (59)",
		 n->detail[0]);
}

static void beat_form(const struct drop_note *n, char *out)
{
	snprintf(out, DROP_SAY, "not a heartbeat line: %" PRIu32 " bytes", n->len);
}

static void beat_address(const struct drop_note *n, char *out)
{
	char named[IP4_TEXT], from[IP4_TEXT];

	snprintf(out, DROP_SAY, "the heartbeat names %s but came from %s",
		 ip4_text((struct ip4){ (uint32_t)n->detail[0] }, named),
		 ip4_text(endpoint_of(n->peer).addr, from));
}

static void tunnel_unknown(const struct drop_note *n, char *out)
{
	char text[IP6_TEXT];

	if (n->source == JOB_FROM_PROTO41)
		snprintf(out, DROP_SAY, "no tunnel on this PoP has the inner source %s",
			 address(n, text));
	else if (n->source != JOB_PROBE)
		snprintf(out, DROP_SAY, "no tunnel on this PoP has %s as its client",
			 address(n, text));
}

static void tunnel_type(const struct drop_note *n, char *out)
{
	static const char *const came[] = { [JOB_FROM_AYIYA] = "an AYIYA packet",
					    [JOB_FROM_HEARTBEAT] = "a heartbeat",
					    [JOB_FROM_PROTO41] = "a protocol-41 packet" };
	const char *what = n->source < ARRAY_LEN(came) && came[n->source] ? came[n->source]
									  : "a packet";

	snprintf(out, DROP_SAY, "%s, but the tunnel's type is %s", what,
		 tunnel_type_name((enum tunnel_type)n->detail[0]));
}

static void tunnel_down(const struct drop_note *n, char *out)
{
	if (n->detail[0] == 0)
		snprintf(out, DROP_SAY,
			 "the tunnel is down: nothing valid was ever heard from its client");
	else if (n->detail[0] <= n->time)
		snprintf(out, DROP_SAY,
			 "the tunnel is down: nothing valid heard from its client for %" PRIu64
			 " s",
			 n->time - n->detail[0]);
}

static void clock_skew(const struct drop_note *n, char *out)
{
	int64_t s = (int64_t)n->detail[0];

	snprintf(out, DROP_SAY, "the client's clock is %" PRId64 " s %s ours", s < 0 ? -s : s,
		 s < 0 ? "behind" : "ahead of");
}

static void replay_stale(const struct drop_note *n, char *out)
{
	int64_t s = (int64_t)n->detail[1];

	if (s > 0)
		snprintf(out, DROP_SAY, "%" PRId64 " s older than what the tunnel has already sent",
			 s);
}

static void replay_move(const struct drop_note *n, char *out)
{
	char from[ENDPOINT4_TEXT], endpoint[ENDPOINT4_TEXT];

	snprintf(out, DROP_SAY,
		 "from %s, the tunnel's endpoint is %s; not newer than the newest packet: a replay",
		 place(n->peer, from), place(n->detail[0], endpoint));
}

static void endpoint_mismatch(const struct drop_note *n, char *out)
{
	char from[ENDPOINT4_TEXT], endpoint[ENDPOINT4_TEXT];

	snprintf(out, DROP_SAY, "protocol 41 from %s, the tunnel's endpoint is %s",
		 place(n->peer, from), place(n->detail[0], endpoint));
}

/* Who says so, and of packets to where. */
static void outer_icmp_error(const struct drop_note *n, char *out)
{
	static const char *const says_what[DROP__COUNT] = {
		[DROP_OUTER_UNREACHABLE] = "says that our packets do not reach the client at",
		[DROP_OUTER_TIME_EXCEEDED] =
			"says that our packets run in circles, or that pieces are missing, on the way to",
		[DROP_OUTER_PARAMETER] = "does not like the IPv4 header of our packets to",
	};
	char from[ENDPOINT4_TEXT], about[ENDPOINT4_TEXT];

	snprintf(out, DROP_SAY, "%s %s %s", place(n->peer, from), says_what[n->why],
		 place(n->detail[0], about));
}

static void outer_too_big(const struct drop_note *n, char *out)
{
	char from[ENDPOINT4_TEXT], about[ENDPOINT4_TEXT];

	if (n->refused)
		snprintf(out, DROP_SAY,
			 "our own link takes no IPv4 packet of %" PRIu64 " bytes to %s",
			 n->detail[0], place(n->peer, about));
	else
		snprintf(out, DROP_SAY,
			 "%s says that the path to %s takes IPv4 packets of at most %" PRIu64
			 " bytes",
			 place(n->peer, from), place(n->detail[0], about), n->detail[1]);
}

static void inner_short(const struct drop_note *n, char *out)
{
	if (n->detail[1] == 0)
		snprintf(out, DROP_SAY,
			 "the inner packet has %" PRIu64 " bytes, less than an IPv6 header",
			 n->detail[0]);
	else
		snprintf(out, DROP_SAY,
			 "the inner packet has %" PRIu64 " bytes, its IPv6 header says %" PRIu64,
			 n->detail[0], n->detail[1]);
}

static void inner_version(const struct drop_note *n, char *out)
{
	snprintf(out, DROP_SAY, "the inner packet is of IP version %" PRIu64 ", not 6",
		 n->detail[0]);
}

static void too_big(const struct drop_note *n, char *out)
{
	snprintf(out, DROP_SAY, "larger than the tunnel's MTU of %" PRIu64 ": %" PRIu64 " bytes",
		 n->detail[1], n->detail[0]);
}

/* "UDP port 5", "ICMPv6 type 129", "protocol 89" */
static const char *service(const struct drop_note *n, char out[static 40])
{
	uint64_t value = n->detail[1] - 1;

	if (n->detail[1] > 0 && n->detail[0] == IPV6_NEXT_ICMP)
		snprintf(out, 40, "ICMPv6 type %" PRIu64, value);
	else if (n->detail[1] > 0)
		snprintf(out, 40, "%s port %" PRIu64, n->detail[0] == IPV6_NEXT_TCP ? "TCP" : "UDP",
			 value);
	else
		snprintf(out, 40, "protocol %" PRIu64, n->detail[0]);
	return out;
}

static void not_for_pop(const struct drop_note *n, char *out)
{
	char text[40];

	snprintf(out, DROP_SAY, "to the PoP's own address, which offers no such service: %s",
		 service(n, text));
}

static void pop_unused(const struct drop_note *n, char *out)
{
	char text[40];

	snprintf(out, DROP_SAY, "to the PoP's own address, heard and needing no answer: %s",
		 service(n, text));
}

static void kernel_refused(const struct drop_note *n, char *out)
{
	const char *why = strerrordesc_np((int)n->detail[0]);
	char to[ENDPOINT4_TEXT];

	snprintf(out, DROP_SAY, "the kernel did not take %s%s: %s",
		 n->why == DROP_TUN_REFUSED ? "the packet on the TUN" : "the outer packet to ",
		 n->why == DROP_TUN_REFUSED ? "" : place(n->peer, to),
		 why ? why : "no reason given");
}

/* The general sentence, and the address that it is about. */
static void with_address(const struct drop_note *n, char *out)
{
	char text[IP6_TEXT];

	snprintf(out, DROP_SAY, "%s: %s", drop_text(n->why), address(n, text));
}

static void link_local(const struct drop_note *n, char *out)
{
	char text[IP6_TEXT];

	with_address(n, out);
	if (n->source == JOB_FROM_TUN)
		snprintf(
			out, DROP_SAY,
			"from the uplink with a link-local source: whoever sends it has no global IPv6 address; to %s",
			address(n, text));
}

static void (*const says[DROP__COUNT])(const struct drop_note *n, char *out) = {
	[DROP_OUTER_SHORT] = outer_short,
	[DROP_OUTER_MARTIAN] = outer_martian,
	[DROP_AYIYA_FORM] = ayiya_form,
	[DROP_AYIYA_METHOD] = ayiya_method,
	[DROP_AYIYA_OPCODE] = ayiya_opcode,
	[DROP_AYIYA_NEXT_HEADER] = ayiya_next_header,
	[DROP_BEAT_FORM] = beat_form,
	[DROP_BEAT_ADDRESS] = beat_address,
	[DROP_TUNNEL_UNKNOWN] = tunnel_unknown,
	[DROP_TUNNEL_TYPE] = tunnel_type,
	[DROP_TUNNEL_DOWN] = tunnel_down,
	[DROP_CLOCK_SKEW] = clock_skew,
	[DROP_REPLAY_STALE] = replay_stale,
	[DROP_REPLAY_MOVE] = replay_move,
	[DROP_ENDPOINT_MISMATCH] = endpoint_mismatch,
	[DROP_OUTER_UNREACHABLE] = outer_icmp_error,
	[DROP_OUTER_TIME_EXCEEDED] = outer_icmp_error,
	[DROP_OUTER_PARAMETER] = outer_icmp_error,
	[DROP_OUTER_TOO_BIG] = outer_too_big,
	[DROP_INNER_SHORT] = inner_short,
	[DROP_INNER_VERSION] = inner_version,
	[DROP_INNER_MARTIAN_SOURCE] = with_address,
	[DROP_INNER_MARTIAN_DEST] = with_address,
	[DROP_INNER_MULTICAST] = with_address,
	[DROP_LINK_LOCAL] = link_local,
	[DROP_SPOOFED_FROM_TUNNEL] = with_address,
	[DROP_SPOOFED_FROM_UPLINK] = with_address,
	[DROP_SAME_TUNNEL] = with_address,
	[DROP_TUNNEL_LOOP] = with_address,
	[DROP_HOP_LIMIT] = with_address,
	[DROP_TOO_BIG] = too_big,
	[DROP_NO_SUCH_TUNNEL] = with_address,
	[DROP_TUNNEL_NET_HOST] = with_address,
	[DROP_NOT_FOR_POP] = not_for_pop,
	[DROP_POP_UNUSED] = pop_unused,
	[DROP_TUN_REFUSED] = kernel_refused,
	[DROP_SEND_REFUSED] = kernel_refused,
};

const char *drop_say(const struct drop_note *n, char out[static DROP_SAY])
{
	snprintf(out, DROP_SAY, "%s", drop_text(n->why));
	if ((unsigned)n->why < DROP__COUNT && says[n->why])
		says[n->why](n, out);
	return out;
}
