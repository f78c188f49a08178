/*
 * ICMPv4 errors: is the message about a packet that the PoP could have sent, to which tunnel, and
 * what does it do to the path MTU?
 */
#include "tests/unit/oracle.h"

#include <string.h>

static unsigned o_16(const uint8_t *p)
{
	return p[0] * 256u + p[1];
}
static uint32_t o_32(const uint8_t *p)
{
	return (uint32_t)o_16(p) * 65536 + o_16(p + 2);
}

static bool o_adds_up(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : p[i] * 256u;
	while (sum > 0xffff)
		sum = sum % 0x10000 + sum / 0x10000;
	return sum == 0xffff;
}

static unsigned o_next_lower(unsigned len)
{
	static const unsigned steps[] = { 68,   296,  508,  1006, 1300, 1380, 1400, 1420,  1460,
					  1480, 1492, 1500, 2002, 4352, 8166, 9000, 17914, 32000 };
	unsigned best = 68;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (steps[i] < len)
			best = steps[i];
	return best;
}

enum drop oracle_icmp4_reason(const uint8_t *m)
{
	if (m[0] == 11)
		return DROP_OUTER_TIME_EXCEEDED;
	if (m[0] == 12)
		return DROP_OUTER_PARAMETER;
	return m[1] == 4 ? DROP_OUTER_TOO_BIG : DROP_OUTER_UNREACHABLE;
}

bool oracle_icmp4_is_about(const struct oracle_tunnel *t, const uint8_t *quoted)
{
	const uint8_t *payload = quoted + (quoted[0] & 15) * 4;

	if (t->address != o_32(quoted + 16))
		return false;
	if (quoted[9] == 41)
		return t->type != ORACLE_AYIYA;
	return t->type == ORACLE_AYIYA && t->port == o_16(payload + 2);
}

void oracle_icmp4_apply(const struct oracle_world *w, struct oracle_tunnel *t, const uint8_t *m)
{
	unsigned mtu = o_16(m + 6), known = oracle_path_mtu(w, t);

	if (m[0] != 3 || m[1] != 4)
		return;
	if (mtu == 0)
		mtu = o_next_lower(o_16(m + 8 + 2));
	if (mtu < 68)
		mtu = 68;
	if (known == 0 || mtu < known) {
		t->path_mtu = mtu;
		t->path_since = w->now;
	}
}

void oracle_icmp4(struct oracle_world *w, uint32_t router, const uint8_t *m, size_t len,
		  struct oracle_answer *a)
{
	const uint8_t *quoted = m + 8, *payload;
	bool own_net = false;
	int about = -1;

	memset(a, 0, offsetof(struct oracle_answer, packet));
	a->where = -2;
	if (len < 8) {
		a->drop = DROP_OUTER_SHORT;
		return;
	}
	if ((m[0] != 3 && m[0] != 11 && m[0] != 12) || !o_adds_up(m, len)) {
		a->drop = DROP_ICMP4_UNVERIFIED;
		return;
	}
	if (len < 8 + 20) {
		a->drop = DROP_OUTER_SHORT;
		return;
	}
	size_t header = (quoted[0] & 15) * 4u;
	if (quoted[0] / 16 != 4 || header < 20) {
		a->drop = DROP_ICMP4_UNVERIFIED;
		return;
	}
	if (len < 8 + header) {
		a->drop = DROP_OUTER_SHORT;
		return;
	}
	payload = quoted + header;
	size_t left = len - 8 - header;
	bool middle = o_16(quoted + 6) % 8192 != 0;
	if ((quoted[9] != 41 && quoted[9] != 17) || (quoted[9] == 17 && middle)) {
		a->drop = DROP_ICMP4_UNVERIFIED;
		return;
	}
	if (!middle && left < 8) {
		a->drop = DROP_OUTER_SHORT;
		return;
	}
	if (quoted[9] == 41 ? !middle && payload[0] / 16 != 6
			    : left >= 8 + 24 && payload[8] != 0x41) {
		a->drop = DROP_ICMP4_UNVERIFIED;
		return;
	}
	if (router >> 24 == 0 || router >> 24 == 127 || router >> 24 >= 224) {
		a->drop = DROP_OUTER_MARTIAN;
		return;
	}
	a->drop = DROP_ICMP4_UNVERIFIED;
	if (memcmp(quoted + 12, w->ipv4, 4) != 0 || o_32(quoted + 16) == 0)
		return;
	if (quoted[9] == 17 && (o_16(payload) != w->ayiya_port || o_16(payload + 2) == 0))
		return;
	if (quoted[9] == 41 && !middle && left >= 40) {
		about = oracle_find(w, payload + 24, &own_net);
	} else if (quoted[9] == 17 && left >= 8 + 24) {
		long age = w->now - (long)o_32(payload + 8 + 4);
		const uint8_t *identity = payload + 8 + 8;
		about = oracle_find(w, identity, &own_net);
		if (age > 120 || age < -120 ||
		    (about >= 0 && !oracle_is_host(identity, w->tunnels[about].net, 1)))
			about = -1;
	} else {
		/* an MTU is believed only from who has seen more than the addresses */
		if (quoted[9] == 41 && oracle_icmp4_reason(m) == DROP_OUTER_TOO_BIG)
			return;
		a->drop = DROP_NONE;
		a->by_endpoint = true;
		return;
	}
	if (about < 0 || !oracle_icmp4_is_about(&w->tunnels[about], quoted))
		return;
	a->drop = oracle_icmp4_reason(m);
	a->charged = w->tunnels[about].id;
	oracle_icmp4_apply(w, &w->tunnels[about], m);
}
