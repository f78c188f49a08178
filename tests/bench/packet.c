#include "tests/bench/packet.h"

#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "tests/bench/bytes.h"
#include "tests/bench/die.h"
#include "tests/bench/plan.h"

enum { PROTO_TCP = 6, PROTO_UDP = 17, PROTO_IPV6 = 41, TCP_ACK = 0x10, TCP_PSH = 0x08, HOPS = 64 };

bool packet_is_decap(enum path path)
{
	return path == PATH_AYIYA_DECAP || path == PATH_PROTO41_DECAP;
}

uint32_t packet_payload(const struct packet_plan *plan)
{
	return plan->inner - PACKET_INNER;
}

uint32_t packet_sequence(const struct packet_set *s, uint32_t number)
{
	uint32_t position = (number - 1) / s->plan.run, place = (number - 1) % s->plan.run;

	return (position + 1) * 2654435761u + place * packet_payload(&s->plan);
}

void packet_addresses(const struct packet_set *s, uint32_t number, uint8_t source[static 16],
		      uint8_t target[static 16])
{
	uint32_t tunnel = s->tunnel_at[(number - 1) / s->plan.run];
	bool decap = packet_is_decap(s->plan.path);

	plan_address(tunnel, 2, decap ? source : target);
	plan_host(decap ? target : source);
}

/* ---- one layer each; `out` is where it begins ---- */

/* An inner segment of `count` packets; more than one: a GSO packet, whose checksum is the
 * pseudo-header's only. */
static void put_inner(const struct packet_set *s, uint8_t *out, uint32_t number, uint32_t count)
{
	uint32_t payload = packet_payload(&s->plan), len = 20 + count * payload;
	uint8_t *tcp = out + 40;
	bool last = (number - 1 + count) % s->plan.run == 0;

	memset(out, 0, PACKET_INNER);
	out[0] = 0x60;
	put16(out + 4, len);
	out[6] = PROTO_TCP;
	out[7] = HOPS;
	packet_addresses(s, number, out + 8, out + 24);
	put16(tcp, 40000);
	put16(tcp + 2, 5001);
	put32(tcp + 4, packet_sequence(s, number));
	put32(tcp + 8, 1);
	tcp[12] = 5 << 4;
	tcp[13] = last && s->plan.push ? TCP_ACK | TCP_PSH : TCP_ACK;
	put16(tcp + 14, 0x1000);
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *p = out + PACKET_INNER + i * payload;
		memset(p, (int)(number + i) & 0xff, payload);
		put32(p, 0);
		put32(p + 4, number + i);
	}
	uint32_t pseudo = add_pseudo6(out, len, PROTO_TCP);
	put16(tcp + 16, count > 1 ? pseudo : ~add_sum(pseudo, tcp, len) & 0xffff);
}

static void put_ethernet(uint8_t *out, enum plan_mac to, enum plan_mac from, uint32_t type)
{
	plan_mac(to, out);
	plan_mac(from, out + 6);
	put16(out + 12, type);
}

/* Don't fragment is set, so that the constant identification harms no merging. */
static void put_ipv4(uint8_t *out, uint32_t source, uint32_t target, uint8_t proto,
		     uint32_t payload)
{
	memset(out, 0, PACKET_IPV4);
	out[0] = 0x45;
	put16(out + 2, PACKET_IPV4 + payload);
	out[6] = 0x40;
	out[8] = HOPS;
	out[9] = proto;
	put32(out + 12, source);
	put32(out + 16, target);
	put16(out + 10, ~add_sum(0, out, PACKET_IPV4) & 0xffff);
}

/* The header around the inner packet that follows it; signed as the protocol says. */
static void put_ayiya(uint8_t *out, uint32_t tunnel, uint32_t epoch, uint32_t inner,
		      struct digest_ctx *digest_ctx)
{
	char secret[PLAN_SECRET + 1];

	put32(out, 0x41521129);
	put32(out + 4, epoch);
	plan_address(tunnel, 2, out + 8);
	plan_secret(tunnel, secret);
	if (!digest(digest_ctx, DIGEST_SHA1, secret, PLAN_SECRET, out + 24))
		die("OpenSSL computed no digest");
	uint8_t signature[DIGEST_SHA1_LEN];
	if (!digest(digest_ctx, DIGEST_SHA1, out, PACKET_AYIYA + inner, signature))
		die("OpenSSL computed no digest");
	memcpy(out + 24, signature, sizeof(signature));
}

/* ---- frames ---- */

/* Room for `len` bytes in a new frame of `count` packets. */
static struct packet_frame *new_frame(struct packet_set *s, uint32_t count, uint32_t len)
{
	struct packet_frame *f = &s->frames[s->frames_used++];

	*f = (struct packet_frame){ .count = count, .len = len, .data = malloc(len) };
	if (!f->data)
		die_errno("a frame");
	return f;
}

static void set_offload(struct packet_frame *f, uint32_t start, uint32_t offset, uint8_t type,
			uint32_t size)
{
	f->vnet = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					   .csum_start = (uint16_t)start,
					   .csum_offset = (uint16_t)offset };
	if (f->count == 1)
		return;
	f->vnet.gso_type = type;
	f->vnet.gso_size = (uint16_t)size;
	f->vnet.hdr_len = (uint16_t)(f->len - f->count * size);
}

/* The UDP checksum is left to offload, as a device has checked it before the kernel sees the
 * packet. */
static void make_ayiya(struct packet_set *s, uint32_t number, uint32_t count, uint32_t epoch,
		       struct digest_ctx *ctx)
{
	uint32_t each = PACKET_AYIYA + s->plan.inner, start = PACKET_ETHERNET + PACKET_IPV4;
	uint32_t tunnel = s->tunnel_at[(number - 1) / s->plan.run],
		 udp_len = PACKET_UDP + count * each;
	struct packet_frame *f = new_frame(s, count, start + udp_len);
	uint8_t *udp = f->data + start;

	put_ethernet(f->data, PLAN_MAC_P0, PLAN_MAC_G0, 0x0800);
	put_ipv4(f->data + PACKET_ETHERNET, plan_client_ipv4(tunnel), plan_pop_ipv4, PROTO_UDP,
		 udp_len);
	put16(udp, plan_client_port(tunnel));
	put16(udp + 2, PLAN_AYIYA_PORT);
	put16(udp + 4, udp_len);
	put16(udp + 6, add_pseudo4(f->data + PACKET_ETHERNET, udp_len, PROTO_UDP));
	set_offload(f, start, 6, VIRTIO_NET_HDR_GSO_UDP_L4, each);
	for (uint32_t i = 0; i < count; i++) {
		uint8_t *ayiya = udp + PACKET_UDP + i * each;
		put_inner(s, ayiya + PACKET_AYIYA, number + i, 1);
		put_ayiya(ayiya, tunnel, epoch, s->plan.inner, ctx);
	}
}

static void make_proto41(struct packet_set *s, uint32_t number)
{
	uint32_t tunnel = s->tunnel_at[(number - 1) / s->plan.run];
	struct packet_frame *f = new_frame(s, 1, PACKET_ETHERNET + PACKET_IPV4 + s->plan.inner);

	put_ethernet(f->data, PLAN_MAC_P0, PLAN_MAC_G0, 0x0800);
	put_ipv4(f->data + PACKET_ETHERNET, plan_client_ipv4(tunnel), plan_pop_ipv4, PROTO_IPV6,
		 s->plan.inner);
	put_inner(s, f->data + PACKET_ETHERNET + PACKET_IPV4, number, 1);
}

static void make_bare(struct packet_set *s, uint32_t number, uint32_t count)
{
	uint32_t payload = packet_payload(&s->plan);
	struct packet_frame *f = new_frame(s, count,
					   PACKET_ETHERNET + PACKET_INNER + count * payload);

	put_ethernet(f->data, PLAN_MAC_P1, PLAN_MAC_S0, 0x86dd);
	put_inner(s, f->data + PACKET_ETHERNET, number, count);
	if (count > 1)
		set_offload(f, PACKET_ETHERNET + 40, 16, VIRTIO_NET_HDR_GSO_TCPV6, payload);
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* The tunnels that get packets, in a random order: no two neighbours share cache lines. */
static void choose_tunnels(struct packet_set *s)
{
	uint64_t state = 88172645463325252u;
	uint32_t active = s->plan.active;

	s->tunnel_at = calloc(active, sizeof(*s->tunnel_at));
	if (!s->tunnel_at)
		die_errno("the order of tunnels");
	for (uint32_t n = 0; n < active; n++)
		s->tunnel_at[n] = s->plan.first +
				  (uint32_t)((uint64_t)n * s->plan.tunnels / active);
	for (uint32_t n = active - 1; n > 0; n--) {
		uint32_t other = (uint32_t)(next_random(&state) % (n + 1)), t = s->tunnel_at[n];
		s->tunnel_at[n] = s->tunnel_at[other];
		s->tunnel_at[other] = t;
	}
}

void packet_set_make(struct packet_set *s, const struct packet_plan *plan, uint32_t epoch)
{
	struct digest_ctx *ctx = digest_ctx_create();

	*s = (struct packet_set){ .plan = *plan,
				  .positions = plan->flows ? plan->flows : plan->active };
	if (s->positions > plan->active)
		s->positions = plan->active;
	s->packets = s->positions * plan->run;
	s->frames = calloc(s->packets, sizeof(*s->frames));
	if (!ctx || !s->frames || digest_init() != 0)
		die("no memory for %u packets, or no digests", s->packets);
	choose_tunnels(s);
	uint32_t count = plan->merged ? plan->run : 1;
	for (uint32_t number = 1; number <= s->packets; number += count) {
		if (plan->path == PATH_AYIYA_DECAP)
			make_ayiya(s, number, count, epoch, ctx);
		else if (plan->path == PATH_PROTO41_DECAP)
			make_proto41(s, number);
		else
			make_bare(s, number, count);
	}
	digest_ctx_free(ctx);
}

void packet_set_free(struct packet_set *s)
{
	for (uint32_t i = 0; i < s->frames_used; i++)
		free(s->frames[i].data);
	free(s->frames);
	free(s->tunnel_at);
}

double packet_count(const struct packet_plan *plan, uint64_t skbs, uint64_t bytes)
{
	uint32_t header = PACKET_ETHERNET + PACKET_INNER, each = packet_payload(plan);

	if (plan->path == PATH_PROTO41_ENCAP)
		header += PACKET_IPV4;
	if (plan->path == PATH_AYIYA_ENCAP) {
		header = PACKET_ETHERNET + PACKET_IPV4 + PACKET_UDP;
		each = PACKET_AYIYA + plan->inner;
	}
	return bytes <= skbs * header ? 0 : (double)(bytes - skbs * header) / each;
}
