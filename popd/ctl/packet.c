#include "popd/ctl/packet.h"

#include <stdio.h>
#include <string.h>

#include "lib/ip.h"
#include "lib/wire/ayiya.h"
#include "lib/wire/icmp6.h"
#include "lib/wire/ipv6.h"

static const struct {
	const char *name;
	enum packet_kind kind;
} kinds[] = {
	{ "tun", PACKET_INNER },
	{ "probe", PACKET_INNER },
	{ "path_challenge", PACKET_INNER },
	{ "ayiya", PACKET_AYIYA },
	{ "udp", PACKET_AYIYA },
	{ "heartbeat", PACKET_HEARTBEAT },
	{ "proto41", PACKET_PROTO41 },
	{ "icmp4", PACKET_ICMP4 },
};

enum packet_kind packet_kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return kinds[i].kind;
	return PACKET_OTHER;
}

const uint8_t *packet_inner(enum packet_kind kind, const uint8_t *data, size_t len,
			    size_t *inner_len)
{
	struct ayiya_view ayiya;
	size_t at = 0;

	if (kind == PACKET_AYIYA) {
		if (ayiya_decode(data, len, &ayiya) != 0 || ayiya.next_header != AYIYA_NEXT_IPV6 ||
		    (ayiya.opcode != AYIYA_FORWARD && ayiya.opcode != AYIYA_ECHO_REQUEST_FORWARD))
			return NULL;
		at = ayiya.header_len;
	} else if (kind != PACKET_INNER && kind != PACKET_PROTO41) {
		return NULL;
	}
	if (len - at < IPV6_HEADER || data[at] >> 4 != 6)
		return NULL;
	*inner_len = len - at;
	return data + at;
}

/* ---- inner ---- */

static const struct {
	uint8_t type;
	const char *name;
} icmp6_names[] = {
	{ ICMP6_TIME_EXCEEDED, "time exceeded" },
	{ 4, "parameter problem" },
	{ ICMP6_ECHO_REQUEST, "echo request" },
	{ ICMP6_ECHO_REPLY, "echo reply" },
	{ 130, "multicast listener query" },
	{ 131, "multicast listener report" },
	{ 132, "multicast listener done" },
	{ 133, "router solicitation" },
	{ 134, "router advertisement" },
	{ ICMP6_SOLICITATION, "neighbour solicitation" },
	{ ICMP6_ADVERTISEMENT, "neighbour advertisement" },
	{ ICMP6_REDIRECT, "redirect" },
	{ 143, "multicast listener report" },
};

static const char *const unreachable_names[] = {
	[ICMP6_NO_ROUTE] = "no route",
	[ICMP6_PROHIBITED] = "administratively prohibited",
	[ICMP6_ADDRESS] = "address unreachable",
	[ICMP6_PORT] = "port unreachable",
};

static void icmp6_text(const uint8_t *icmp, size_t len, char *out, size_t size)
{
	if (len < ICMP6_HEADER) {
		snprintf(out, size, "ICMPv6");
		return;
	}
	if (icmp[0] == ICMP6_TOO_BIG) {
		snprintf(out, size, "ICMPv6 packet too big, MTU %u", be32_load(icmp + 4));
		return;
	}
	if (icmp[0] == ICMP6_UNREACHABLE && icmp[1] < ARRAY_LEN(unreachable_names) &&
	    unreachable_names[icmp[1]]) {
		snprintf(out, size, "ICMPv6 %s", unreachable_names[icmp[1]]);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(icmp6_names); i++)
		if (icmp6_names[i].type == icmp[0]) {
			snprintf(out, size, "ICMPv6 %s", icmp6_names[i].name);
			return;
		}
	snprintf(out, size, "ICMPv6 type %u code %u", icmp[0], icmp[1]);
}

static void upper_text(const uint8_t *packet, size_t len, char *out, size_t size)
{
	struct ipv6_upper u = ipv6_upper(packet, (uint32_t)len);
	const uint8_t *upper = packet + u.offset;
	size_t left = len - u.offset;
	const char *name = u.next == IPV6_NEXT_TCP ? "TCP" : u.next == IPV6_NEXT_UDP ? "UDP" : NULL;

	if (u.is_later)
		snprintf(out, size, "fragment of protocol %u", u.next);
	else if (u.next == IPV6_NEXT_ICMP)
		icmp6_text(upper, left, out, size);
	else if (name && left >= 4)
		snprintf(out, size, "%s %u > %u", name, be16_load(upper), be16_load(upper + 2));
	else
		snprintf(out, size, "protocol %u", u.next);
}

static void inner_text(const uint8_t *packet, size_t len, char *out)
{
	struct ip6 source = ipv6_source(packet), destination = ipv6_destination(packet);
	char from[IP6_TEXT], to[IP6_TEXT], upper[80];

	upper_text(packet, len, upper, sizeof(upper));
	snprintf(out, PACKET_TEXT, "%s > %s %s", ip6_text(&source, from),
		 ip6_text(&destination, to), upper);
}

/* ---- outer ---- */

static const char *const opcodes[] = {
	[AYIYA_NOOP] = "no-op",
	[AYIYA_FORWARD] = "forward",
	[AYIYA_ECHO_REQUEST] = "echo request",
	[AYIYA_ECHO_REQUEST_FORWARD] = "echo request and forward",
	[AYIYA_ECHO_RESPONSE] = "echo response",
	[AYIYA_MOTD] = "message of the day",
	[AYIYA_QUERY_REQUEST] = "query request",
	[AYIYA_QUERY_RESPONSE] = "query response",
};

static void ayiya_text(const uint8_t *data, size_t len, char *out)
{
	struct ayiya_view view;

	if (ayiya_decode(data, len, &view) != 0)
		snprintf(out, PACKET_TEXT, "no AYIYA packet");
	else if (view.opcode < ARRAY_LEN(opcodes))
		snprintf(out, PACKET_TEXT, "AYIYA %s", opcodes[view.opcode]);
	else
		snprintf(out, PACKET_TEXT, "AYIYA opcode %u", view.opcode);
}

const char *packet_text(enum packet_kind kind, const uint8_t *data, size_t len,
			char out[static PACKET_TEXT])
{
	size_t inner_len;
	const uint8_t *inner = packet_inner(kind, data, len, &inner_len);

	if (inner)
		inner_text(inner, inner_len, out);
	else if (kind == PACKET_AYIYA)
		ayiya_text(data, len, out);
	else if (kind == PACKET_ICMP4 && len >= 2)
		snprintf(out, PACKET_TEXT, "ICMPv4 type %u code %u", data[0], data[1]);
	else
		snprintf(out, PACKET_TEXT, "%s",
			 kind == PACKET_HEARTBEAT ? "heartbeat" : "no IPv6 packet");
	return out;
}
