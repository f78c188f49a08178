#include "tests/bench/check.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/digest.h"
#include "tests/bench/bytes.h"
#include "tests/bench/die.h"
#include "tests/bench/plan.h"

enum {
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_IPV6 = 41,
	HOPS_AFTER = 62, /* one for popd, one for the kernel between it and the sink */
	SKEW = 5
};

void check_begin(struct check *c, const struct packet_set *s)
{
	*c = (struct check){ .set = s, .digest = digest_ctx_create() };
	c->seen = calloc(s->packets + 1, 1);
	c->last = calloc(s->positions, sizeof(*c->last));
	if (!c->digest || !c->seen || !c->last)
		die_errno("the check");
}

void check_end(struct check *c)
{
	digest_ctx_free(c->digest);
	free(c->seen);
	free(c->last);
}

static void complain(struct check *c, const char *why)
{
	c->wrong++;
	if (!c->why)
		c->why = why;
}

/* ---- one packet ---- */

static void note_number(struct check *c, uint32_t number)
{
	uint32_t *last = &c->last[(number - 1) / c->set->plan.run];

	if (c->seen[number])
		c->twice++;
	else if (number < *last)
		c->misplaced++;
	else
		c->good++;
	c->seen[number] = 1;
	*last = number;
}

static const char *fault_of_headers(const struct check *c, const uint8_t *inner, uint32_t number)
{
	uint8_t source[16], target[16];

	packet_addresses(c->set, number, source, target);
	if (inner[0] >> 4 != 6 || memcmp(inner + 8, source, 16) != 0 ||
	    memcmp(inner + 24, target, 16) != 0)
		return "the addresses of an inner packet are another's";
	if (get32(inner + 44) != packet_sequence(c->set, number))
		return "the sequence number of an inner packet is wrong";
	return inner[7] == HOPS_AFTER
		       ? NULL
		       : "the hop limit was not lowered by two, popd's one and the kernel's";
}

/* Looked at byte by byte, since the checksum of a merged packet says nothing of it. */
static bool payload_is_right(const uint8_t *p, uint32_t len, uint32_t number)
{
	bool right = get32(p) == 0 && get32(p + 4) == number;

	for (uint32_t i = PACKET_TAG; i < len; i++)
		right &= p[i] == (number & 0xff);
	return right;
}

/* An inner packet, or merged ones; `partial`: the checksum is the pseudo-header's only. */
static void check_inner(struct check *c, const uint8_t *inner, size_t len, bool partial)
{
	uint32_t payload = packet_payload(&c->set->plan);

	if (len < PACKET_INNER || inner[6] != PROTO_TCP)
		return;
	uint32_t upper = get16(inner + 4);
	if (40 + upper != len || (upper - 20) % payload != 0 || upper == 20) {
		complain(c, "the length of an inner packet is wrong");
		return;
	}
	uint32_t pseudo = add_pseudo6(inner, upper, PROTO_TCP),
		 number = get32(inner + PACKET_INNER + 4);
	if (partial ? get16(inner + 56) != pseudo : add_sum(pseudo, inner + 40, upper) != 0xffff) {
		complain(c, partial ? "the partial checksum of a merged packet is wrong"
				    : "a TCP checksum is wrong");
		return;
	}
	uint32_t count = (upper - 20) / payload;
	if (number == 0 || number > c->set->packets) {
		complain(c, "a packet's number is not one of the row's");
		return;
	}
	const char *fault = fault_of_headers(c, inner, number);
	if (fault) {
		complain(c, fault);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		if (payload_is_right(inner + PACKET_INNER + i * payload, payload, number + i))
			note_number(c, number + i);
		else
			complain(
				c,
				"the payload of an inner packet is wrong, or not the one that belongs there");
}

/* ---- AYIYA ---- */

static bool signature_is_right(struct check *c, const uint8_t *p, size_t len, uint32_t tunnel)
{
	uint8_t key[DIGEST_SHA1_LEN], is[DIGEST_SHA1_LEN];
	char secret[PLAN_SECRET + 1];

	plan_secret(tunnel, secret);
	if (!digest(c->digest, DIGEST_SHA1, secret, PLAN_SECRET, key))
		die("OpenSSL computed no digest");
	const struct digest_part parts[] = { { p, 24 },
					     { key, sizeof(key) },
					     { p + PACKET_AYIYA, len - PACKET_AYIYA } };
	if (!digest_parts(c->digest, DIGEST_SHA1, parts, 3, is))
		die("OpenSSL computed no digest");
	return memcmp(is, p + 24, sizeof(is)) == 0;
}

static void check_ayiya(struct check *c, const uint8_t *p, size_t len, uint32_t target,
			uint32_t port)
{
	uint8_t identity[16];

	if (len < PACKET_AYIYA + PACKET_INNER || p[PACKET_AYIYA + 6] != PROTO_TCP)
		return;
	uint32_t number = get32(p + PACKET_AYIYA + PACKET_INNER + 4);
	if (number == 0 || number > c->set->packets) {
		complain(c, "a packet's number is not one of the row's");
		return;
	}
	uint32_t tunnel = c->set->tunnel_at[(number - 1) / c->set->plan.run];
	int64_t age = (int64_t)time(NULL) - get32(p + 4);
	plan_address(tunnel, 1, identity);
	if (get32(p) != 0x41521129 || memcmp(p + 8, identity, 16) != 0 || age < -SKEW || age > SKEW)
		complain(c, "the AYIYA header is wrong");
	else if (target != plan_client_ipv4(tunnel) || port != plan_client_port(tunnel))
		complain(c, "a packet went to another's endpoint");
	else if (!signature_is_right(c, p, len, tunnel))
		complain(c, "a signature is wrong");
	else
		check_inner(c, p + PACKET_AYIYA, len - PACKET_AYIYA, false);
}

/* ---- frames ---- */

static void check_udp(struct check *c, const struct virtio_net_hdr *vnet, const uint8_t *ip,
		      size_t len)
{
	const uint8_t *udp = ip + PACKET_IPV4, *p = udp + PACKET_UDP;
	size_t left = len - PACKET_IPV4 - PACKET_UDP, each = vnet->gso_type ? vnet->gso_size : left;

	if (!(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && get16(udp + 6) != 0 &&
	    add_sum(add_pseudo4(ip, get16(udp + 4), PROTO_UDP), udp, len - PACKET_IPV4) != 0xffff)
		complain(c, "a UDP checksum is wrong");
	while (left > 0 && each > 0) {
		size_t n = left < each ? left : each;
		check_ayiya(c, p, n, get32(ip + 16), get16(udp + 2));
		p += n;
		left -= n;
	}
}

void check_frame(struct check *c, const struct virtio_net_hdr *vnet, const uint8_t *frame,
		 size_t len)
{
	const uint8_t *ip = frame + PACKET_ETHERNET;
	bool partial = vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
	uint32_t type = len < PACKET_ETHERNET + PACKET_INNER ? 0 : get16(frame + 12);

	len -= PACKET_ETHERNET;
	if (type == 0x86dd && packet_is_decap(c->set->plan.path))
		check_inner(c, ip, len, partial);
	if (type != 0x0800 || packet_is_decap(c->set->plan.path))
		return;
	if (get32(ip + 12) != plan_pop_ipv4)
		complain(c, "an outer packet has another source than the PoP");
	else if (ip[9] == PROTO_UDP)
		check_udp(c, vnet, ip, len);
	else if (ip[9] == PROTO_IPV6)
		check_inner(c, ip + PACKET_IPV4, len - PACKET_IPV4, partial);
}
