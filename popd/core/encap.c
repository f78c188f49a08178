#include "popd/core/encap.h"

#include "popd/wire/ecn.h"
#include "popd/wire/ipv4.h"
#include "popd/wire/ipv6.h"

enum { UDP_HEADER = 8 };

static bool is_sha256(uint64_t endpoint)
{
	return endpoint_flags(endpoint) & ENDPOINT_SHA256;
}

static uint32_t overhead(const struct tunnel_conf *c, uint64_t endpoint)
{
	return IPV4_HEADER +
	       (c->type == TUNNEL_AYIYA ? UDP_HEADER + (uint32_t)ayiya_header_len(is_sha256(endpoint)) : 0);
}

uint32_t encap_mtu(const struct tunnel *t, const struct tunnel_conf *c, uint64_t endpoint)
{
	uint32_t mtu = c->mtu, path = atomic_load_explicit(&t->path_mtu, memory_order_relaxed),
		 more = overhead(c, endpoint);

	if (path != 0 && (path < more || path - more < mtu))
		mtu = path < more ? 0 : path - more;
	return mtu < TUNNEL_MTU_MIN ? TUNNEL_MTU_MIN : mtu;
}

void encap_ayiya(struct out *out, struct auth_item *sign, struct tunnel *t, const struct tunnel_conf *c,
		 uint64_t endpoint, enum ayiya_opcode opcode, uint8_t next_header, uint8_t *payload, uint32_t len,
		 uint32_t now)
{
	bool sha256 = is_sha256(endpoint);
	uint32_t header = (uint32_t)ayiya_header_len(sha256);
	struct ip6 identity = tunnel_pop(c);

	*out = (struct out){
		.kind = OUT_UDP, .data = payload - header, .len = header + len, .to = endpoint_of(endpoint), .tunnel = t
	};
	ayiya_encode(out->data, sha256, opcode, next_header, now, &identity, sha256 ? c->key_sha256 : c->key_sha1);
	*sign = (struct auth_item){
		.alg = sha256 ? DIGEST_SHA256 : DIGEST_SHA1,
		.data = out->data,
		.len = out->len,
		.out = out->data + AYIYA_AT_SIGNATURE,
	};
}

bool encap_packet(struct out *out, struct auth_item *sign, struct tunnel *t, const struct tunnel_conf *c,
		  uint64_t endpoint, uint8_t *inner, uint32_t len, uint32_t now)
{
	uint8_t class = ipv6_traffic_class(inner);
	bool is_ayiya = c->type == TUNNEL_AYIYA;

	if (is_ayiya)
		encap_ayiya(out, sign, t, c, endpoint, AYIYA_FORWARD, AYIYA_NEXT_IPV6, inner, len, now);
	else
		*out = (struct out){
			.kind = OUT_PROTO41, .data = inner, .len = len, .to = endpoint_of(endpoint), .tunnel = t
		};
	out->tos = (uint8_t)((class & ~ECN_MASK) | ecn_encapsulate(class));
	out->dont_fragment = encap_mtu(t, c, endpoint) > TUNNEL_MTU_MIN;
	return is_ayiya;
}
