#include "tests/unit/oracle.h"

#include <stdio.h>
#include <string.h>

static bool o_in(const uint8_t *address, const uint8_t *bits, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if ((address[i / 8] >> (7 - i % 8) & 1) != (bits[i / 8] >> (7 - i % 8) & 1))
			return false;
	return true;
}

static bool o_begins(const uint8_t *address, const char *hex_words, unsigned len)
{
	uint8_t bits[16] = { 0 };
	unsigned value, at = 0;
	int used;

	while (sscanf(hex_words, "%x%n", &value, &used) == 1) {
		bits[at++] = (uint8_t)(value >> 8);
		bits[at++] = (uint8_t)value;
		hex_words += used;
	}
	return o_in(address, bits, len);
}

int oracle_find(const struct oracle_world *w, const uint8_t *address, bool *own_net)
{
	int best = -1, best_len = -1;

	for (size_t i = 0; i < w->count; i++) {
		const struct oracle_tunnel *t = &w->tunnels[i];
		if (o_in(address, t->net, 64) && best_len < 64) {
			best = (int)i;
			best_len = 64;
			*own_net = true;
		}
		for (size_t r = 0; r < t->route_count; r++) {
			if (o_in(address, t->routes[r].bits, t->routes[r].len) &&
			    best_len < (int)t->routes[r].len) {
				best = (int)i;
				best_len = (int)t->routes[r].len;
				*own_net = false;
			}
		}
	}
	return best;
}

bool oracle_is_host(const uint8_t *address, const uint8_t *net, uint8_t host)
{
	static const uint8_t zeros[7];

	return memcmp(address, net, 8) == 0 && memcmp(address + 8, zeros, 7) == 0 &&
	       address[15] == host;
}

static bool o_is_popd(const struct oracle_world *w, const uint8_t *address)
{
	return o_in(address, w->tunnel_prefix.bits, w->tunnel_prefix.len) &&
	       memcmp(address + 6, "\xff\xff\0\0\0\0\0\0\0\1", 10) == 0;
}

static bool o_is_ours(const struct oracle_world *w, const uint8_t *address)
{
	return o_in(address, w->tunnel_prefix.bits, w->tunnel_prefix.len) ||
	       o_in(address, w->subnet_prefix.bits, w->subnet_prefix.len);
}

static bool o_is_bad_unicast(const uint8_t *a)
{
	static const struct {
		const char *words;
		unsigned len;
	} bad[] = {
		{ "0 0 0 0 0 0", 96 }, { "0 0 0 0 0 ffff", 96 }, { "64 ff9b 1", 48 },
		{ "100 0 0 0", 64 },   { "2001 2 0", 48 },       { "5f00", 16 },
		{ "fc00", 7 },         { "fec0", 10 },           { "2002 0", 24 },
		{ "2002 a00", 24 },    { "2002 6440", 26 },      { "2002 7f00", 24 },
		{ "2002 a9fe", 32 },   { "2002 ac10", 28 },      { "2002 c0a8", 32 },
		{ "2002 c612", 31 },   { "2002 e000", 19 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (o_begins(a, bad[i].words, bad[i].len))
			return true;
	return false;
}

static bool o_holds_our_ipv4(const struct oracle_world *w, const uint8_t *a)
{
	uint8_t turned[4];

	for (int i = 0; i < 4; i++)
		turned[i] = (uint8_t)~w->ipv4[i];
	if (o_begins(a, "2002", 16) && memcmp(a + 2, w->ipv4, 4) == 0)
		return true;
	if (o_begins(a, "2001 0", 32) &&
	    (memcmp(a + 4, w->ipv4, 4) == 0 || memcmp(a + 12, turned, 4) == 0))
		return true;
	return (memcmp(a + 8, "\0\0\x5e\xfe", 4) == 0 || memcmp(a + 8, "\2\0\x5e\xfe", 4) == 0) &&
	       memcmp(a + 12, w->ipv4, 4) == 0;
}

/* Skips extension headers. Sets *piece for a fragment, *middle for one that is not the first. */
static size_t o_upper(const uint8_t *p, size_t len, uint8_t *protocol, bool *piece, bool *middle)
{
	size_t at = 40;

	*protocol = p[6];
	*piece = *middle = false;
	while (len - at >= 8) {
		size_t size;
		if (*protocol == 0 || *protocol == 43 || *protocol == 60)
			size = 8 + 8 * (size_t)p[at + 1];
		else if (*protocol == 51)
			size = 8 + 4 * (size_t)p[at + 1];
		else if (*protocol == 44)
			size = 8;
		else
			break;
		if (size > len - at)
			break;
		if (*protocol == 44) {
			unsigned offset = (unsigned)(p[at + 2] << 8 | p[at + 3]) / 8;
			*middle = offset != 0;
			*piece = *piece || offset != 0 || (p[at + 3] & 1);
		}
		*protocol = p[at];
		at += size;
		if (*middle)
			break;
	}
	return at;
}

/* The offset of the first routing header with segments left; 0: none, or the packet is a
 * fragment. */
static size_t o_detour(const uint8_t *p, size_t len)
{
	uint8_t protocol = p[6];
	size_t at = 40;

	while (len - at >= 8) {
		size_t size = 8 + 8 * (size_t)p[at + 1];
		if (protocol == 51)
			size = 8 + 4 * (size_t)p[at + 1];
		if (protocol == 44)
			size = 8;
		if (protocol == 44 && (p[at + 2] != 0 || (p[at + 3] & 0xf9) != 0))
			return 0;
		if ((protocol != 0 && protocol != 43 && protocol != 44 && protocol != 51 &&
		     protocol != 60) ||
		    size > len - at)
			return 0;
		if (protocol == 43 && p[at + 3] != 0)
			return at;
		protocol = p[at];
		at += size;
	}
	return 0;
}

unsigned oracle_checksum(const uint8_t *packet, size_t len)
{
	uint32_t sum = 58 + (uint32_t)(len - 40);

	for (size_t i = 8; i < len; i++)
		sum += i % 2 ? packet[i] : (uint32_t)packet[i] * 256;
	while (sum > 0xffff)
		sum = sum % 0x10000 + sum / 0x10000;
	return 0xffff - sum;
}

static void o_head(struct oracle_answer *a, size_t payload, uint8_t hops, const uint8_t *source,
		   const uint8_t *destination)
{
	static const uint8_t start[4] = { 0x60 };

	a->len = 40 + payload;
	memcpy(a->packet, start, 4);
	a->packet[4] = (uint8_t)(payload / 256);
	a->packet[5] = (uint8_t)payload;
	a->packet[6] = 58;
	a->packet[7] = hops;
	memcpy(a->packet + 8, source, 16);
	memcpy(a->packet + 24, destination, 16);
}

static void o_seal(struct oracle_answer *a)
{
	a->packet[42] = a->packet[43] = 0;
	unsigned sum = oracle_checksum(a->packet, a->len);
	a->packet[42] = (uint8_t)(sum / 256);
	a->packet[43] = (uint8_t)sum;
}

static bool o_may_get_error(const uint8_t *p, size_t len)
{
	uint8_t protocol;
	bool piece, middle;
	size_t at = o_upper(p, len, &protocol, &piece, &middle);

	if (p[8] == 0xff || p[24] == 0xff)
		return false;
	if (protocol != 58)
		return true;
	return !middle && at < len && p[at] >= 128 && p[at] != 137;
}

static void o_error(struct oracle_answer *a, int back, const uint8_t *p, size_t len, uint8_t type,
		    uint8_t code, unsigned mtu, const uint8_t *source)
{
	static const uint8_t nobody[16];
	size_t quoted = len < 1232 ? len : 1232;

	if (!o_may_get_error(p, len) || memcmp(source, nobody, 16) == 0)
		return;
	o_head(a, 8 + quoted, 64, source, p + 8);
	memcpy(a->packet + 40,
	       (const uint8_t[8]){ type, code, 0, 0, 0, 0, (uint8_t)(mtu / 256), (uint8_t)mtu }, 8);
	memcpy(a->packet + 48, p, quoted);
	o_seal(a);
	a->where = back;
}

static void o_advertise(struct oracle_answer *a, int back, const uint8_t *target, const uint8_t *to)
{
	o_head(a, 24, 255, target, to);
	memcpy(a->packet + 40, "\x88\0\0\0\xc0\0\0\0", 8);
	memcpy(a->packet + 48, target, 16);
	o_seal(a);
	a->where = back;
}

static bool o_solicits(const uint8_t *p, size_t len, const uint8_t *target)
{
	for (size_t at = 64; at < len; at += 8u * p[at + 1])
		if (at + 1 >= len || p[at + 1] == 0 || at + 8u * p[at + 1] > len)
			return false;
	return p[6] == 58 && len >= 64 && p[40] == 135 && p[41] == 0 && p[7] == 255 &&
	       memcmp(p + 48, target, 16) == 0 && oracle_checksum(p, len) == 0;
}

/* It expires after ten minutes, or when the clock goes back. */
unsigned oracle_path_mtu(const struct oracle_world *w, const struct oracle_tunnel *t)
{
	return w->now - t->path_since < 600 ? t->path_mtu : 0;
}

unsigned oracle_mtu(const struct oracle_world *w, const struct oracle_tunnel *t)
{
	unsigned header = t->type != ORACLE_AYIYA ? 20
			  : t->sha256             ? 20 + 8 + 56
						  : 20 + 8 + 44,
		 mtu = t->mtu;
	unsigned path = oracle_path_mtu(w, t);

	if (path && path < header + 1280)
		return 1280;
	if (path && path - header < mtu)
		mtu = path - header;
	return mtu;
}

unsigned oracle_class(const struct oracle_world *w, const uint8_t *packet)
{
	unsigned class = (packet[0] & 15) * 16u + packet[1] / 16u;

	return w->dscp < 0 ? class : (unsigned)w->dscp * 4 + class % 4;
}

/* A packet to the PoP's address `d`. */
static void o_local(struct oracle_answer *a, int from, int to, const uint8_t *p, size_t len,
		    const uint8_t *d)
{
	uint8_t protocol;
	bool piece, middle;
	size_t at = o_upper(p, len, &protocol, &piece, &middle);

	if (o_detour(p, len) != 0) {
		a->drop = DROP_NOT_FOR_POP;
		o_error(a, from, p, len, 4, 0, (unsigned)o_detour(p, len) + 2, d);
	} else if (piece) {
		a->drop = DROP_NOT_FOR_POP;
	} else if (protocol != 58) {
		a->drop = DROP_NOT_FOR_POP;
		o_error(a, from, p, len, 1, 4, 0, d);
	} else if (len - at >= 8 && p[at] == 128 && p[at + 1] == 0) {
		o_head(a, len - at, 64, d, p + 8);
		a->packet[0] = p[0];
		a->packet[1] = p[1] & 0xc0;
		memcpy(a->packet + 40, p + at, len - at);
		/* a checksum that was wrong stays wrong by the same difference */
		bool right;
		uint8_t request[ORACLE_PACKET];
		memcpy(request, a->packet, 40);
		memcpy(request + 8, p + 8, 32);
		memcpy(request + 40, p + at, len - at);
		right = oracle_checksum(request, a->len) == 0;
		a->packet[40] = 129;
		if (right) {
			o_seal(a);
		} else {
			a->packet[42] = a->packet[43] = 0;
			/* "compare all but the checksum, which must be wrong" */
			a->len |= (size_t)1 << 31;
		}
		a->where = from;
	} else if (from >= 0 && from == to && o_solicits(p, len, d)) {
		o_advertise(a, from, d, p + 8);
	} else {
		a->drop = DROP_POP_UNUSED;
	}
}

void oracle_forward(const struct oracle_world *w, int from, uint8_t *p, size_t have,
		    unsigned outer_mark, struct oracle_answer *a)
{
	bool own_net = false, source_net = false;
	const uint8_t *s = p + 8, *d = p + 24;
	uint8_t near[16] = { 0 }, solicited[16];

	memset(a, 0, offsetof(struct oracle_answer, packet));
	a->where = -2;
	a->charged = from >= 0 ? w->tunnels[from].id : 0;
	if (have < 40) {
		a->drop = DROP_INNER_SHORT;
		return;
	}
	if (p[0] / 16 != 6) {
		a->drop = DROP_INNER_VERSION;
		return;
	}
	size_t len = 40u + p[4] * 256u + p[5];
	if (len > have) {
		a->drop = DROP_INNER_SHORT;
		return;
	}
	if (from >= 0) {
		unsigned mark = p[1] >> 4 & 3;
		if (mark == 0 && outer_mark == 3) {
			a->drop = DROP_ECN_INVALID;
			return;
		}
		if (mark != 0 && outer_mark == 3)
			mark = 3;
		if (mark == 2 && outer_mark == 1)
			mark = 1;
		p[1] = (uint8_t)((p[1] & 0xcf) | mark << 4);
	}
	int to = oracle_find(w, d, &own_net);
	uint32_t to_id = to >= 0 ? w->tunnels[to].id : 0;
	if (from < 0)
		a->charged = to_id;
	if (from >= 0 || to >= 0) {
		memcpy(near, w->tunnels[from >= 0 ? from : to].net, 8);
		near[15] = 1;
	} else {
		memcpy(near, w->tunnel_prefix.bits, 6);
		near[6] = near[7] = 0xff;
		near[15] = 1;
	}

	/* the source */
	bool chatter = d[0] == 0xff && (d[1] & 15) <= 2,
	     nobody = o_begins(s, "0 0 0 0 0 0 0 0", 128);
	if (o_begins(s, "fe80", 10) || (nobody && chatter))
		a->drop = DROP_LINK_LOCAL;
	else if (o_is_bad_unicast(s) || s[0] == 0xff)
		a->drop = DROP_INNER_MARTIAN_SOURCE;
	else if (from >= 0 && (oracle_find(w, s, &source_net) != from ||
			       oracle_is_host(s, w->tunnels[from].net, 1)))
		a->drop = DROP_SPOOFED_FROM_TUNNEL;
	else if (from < 0 && o_is_ours(w, s))
		a->drop = DROP_SPOOFED_FROM_UPLINK;
	else if (o_holds_our_ipv4(w, s) || o_holds_our_ipv4(w, d))
		a->drop = DROP_TUNNEL_LOOP;
	if (a->drop)
		return;

	/* the destination */
	if (chatter) {
		memcpy(solicited, near, 16);
		if (from >= 0 && o_solicits(p, len, solicited))
			o_advertise(a, from, near, s);
		else
			a->drop = DROP_LINK_LOCAL;
		return;
	}
	if (d[0] == 0xff) {
		a->drop = DROP_INNER_MULTICAST;
		return;
	}
	if (o_is_bad_unicast(d) || o_begins(d, "fe80", 10)) {
		a->drop = DROP_INNER_MARTIAN_DEST;
		return;
	}
	if (o_is_popd(w, d) || (own_net && oracle_is_host(d, w->tunnels[to].net, 1))) {
		o_local(a, from, to, p, len, d);
		return;
	}
	if (to < 0 && o_is_ours(w, d)) {
		a->drop = DROP_NO_SUCH_TUNNEL;
		o_error(a, from, p, len, 1, 3, 0, near);
		return;
	}
	if (to < 0 && from < 0) {
		a->drop = DROP_INNER_MARTIAN_DEST;
		return;
	}
	if (to >= 0) {
		const struct oracle_tunnel *t = &w->tunnels[to];
		if (own_net && !oracle_is_host(d, t->net, 2)) {
			a->drop = DROP_TUNNEL_NET_HOST;
			a->charged = to_id;
			o_error(a, from, p, len, 1, 0, 0, near);
			return;
		}
		if (to == from) {
			a->drop = DROP_SAME_TUNNEL;
			return;
		}
		if (!t->enabled) {
			a->drop = DROP_TUNNEL_DISABLED;
			a->charged = to_id;
			o_error(a, from, p, len, 1, 1, 0, near);
			return;
		}
		if (t->address == 0 || (t->type != ORACLE_STATIC && !t->heard)) {
			a->drop = t->type == ORACLE_STATIC ? DROP_NO_ENDPOINT : DROP_TUNNEL_DOWN;
			a->charged = to_id;
			o_error(a, from, p, len, 1, 0, 0, near);
			return;
		}
	}
	if (p[7] <= 1) {
		a->drop = DROP_HOP_LIMIT;
		o_error(a, from, p, len, 3, 0, 0, near);
		return;
	}
	if (to >= 0 && len > oracle_mtu(w, &w->tunnels[to])) {
		a->drop = DROP_TOO_BIG;
		a->charged = to_id;
		o_error(a, from, p, len, 2, 0, oracle_mtu(w, &w->tunnels[to]), near);
		return;
	}
	memcpy(a->packet, p, len);
	a->packet[7]--;
	a->len = len;
	a->where = to;
}

void oracle_ayiya(const struct oracle_world *w, int from, uint8_t *p, size_t have,
		  unsigned outer_mark, struct oracle_answer *a)
{
	if (have >= 40 && p[0] / 16 == 6 && 40u + p[4] * 256u + p[5] < have) {
		memset(a, 0, offsetof(struct oracle_answer, packet));
		a->where = -2;
		a->drop = DROP_AYIYA_TRAILING;
		a->charged = w->tunnels[from].id;
		return;
	}
	oracle_forward(w, from, p, have, outer_mark, a);
}

/* Anybody can name a tunnel: it is charged when the packet comes from its endpoint, or once a
 * second while nothing is heard from there. */
static bool o_is_charged(struct oracle_world *w, struct oracle_tunnel *t, uint32_t outer_source)
{
	if (t->address == outer_source)
		return true;
	if ((t->heard && t->address != 0) ||
	    (t->noted_us != 0 && w->now_us - t->noted_us < 1000000))
		return false;
	t->noted_us = w->now_us;
	return true;
}

void oracle_protocol41(struct oracle_world *w, uint32_t outer_source, uint8_t *p, size_t have,
		       unsigned outer_mark, bool merged, struct oracle_answer *a)
{
	bool own_net = false;

	memset(a, 0, offsetof(struct oracle_answer, packet));
	a->where = -2;
	if (have == 0) {
		a->drop = DROP_OUTER_SHORT;
		return;
	}
	if (have < 40 || p[0] / 16 != 6 || 40u + p[4] * 256u + p[5] > have) {
		a->drop = have >= 40 && p[0] / 16 != 6 ? DROP_INNER_VERSION : DROP_INNER_SHORT;
		return;
	}
	const uint8_t *s = p + 8, *d = p + 24;
	if (o_begins(s, "fe80", 10) ||
	    (o_begins(s, "0 0 0 0 0 0 0 0", 128) && d[0] == 0xff && (d[1] & 15) <= 2)) {
		a->drop = DROP_LINK_LOCAL;
		return;
	}
	if (o_is_bad_unicast(s) || s[0] == 0xff) {
		a->drop = DROP_INNER_MARTIAN_SOURCE;
		return;
	}
	int from = oracle_find(w, s, &own_net);
	if (from < 0) {
		a->drop = DROP_TUNNEL_UNKNOWN;
		return;
	}
	struct oracle_tunnel *t = &w->tunnels[from];
	if (t->type == ORACLE_AYIYA)
		a->drop = DROP_TUNNEL_TYPE;
	else if (!t->enabled)
		a->drop = DROP_TUNNEL_DISABLED;
	else if (t->type == ORACLE_HEARTBEAT && (t->address == 0 || !t->heard))
		a->drop = DROP_TUNNEL_DOWN;
	else if (t->address != outer_source)
		a->drop = DROP_ENDPOINT_MISMATCH;
	else if (merged)
		a->drop = DROP_INNER_MERGED;
	if (a->drop) {
		a->charged = o_is_charged(w, t, outer_source) ? t->id : 0;
		if (a->drop == DROP_TUNNEL_DISABLED && t->address == outer_source) {
			uint8_t near[16] = { 0 };
			memcpy(near, t->net, 8);
			near[15] = 1;
			o_error(a, from, p, 40u + p[4] * 256u + p[5], 1, 1, 0, near);
		}
		return;
	}
	if (t->type == ORACLE_STATIC)
		t->heard = true;
	oracle_forward(w, from, p, have, outer_mark, a);
}
