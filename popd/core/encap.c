#include "popd/core/encap.h"

#include "lib/wire/ecn.h"
#include "lib/wire/ipv4.h"
#include "lib/wire/ipv6.h"
#include "popd/core/path.h"

enum { UDP_HEADER = 8 };

static bool is_sha256(uint64_t endpoint)
{
	return endpoint_flags(endpoint) & ENDPOINT_SHA256;
}

static uint32_t overhead(const struct tunnel_conf *c, uint64_t endpoint)
{
	return IPV4_HEADER + (c->type == TUNNEL_AYIYA
				      ? UDP_HEADER + (uint32_t)ayiya_header_len(is_sha256(endpoint))
				      : 0);
}

uint32_t encap_mtu(const struct tunnel *t, const struct tunnel_conf *c, uint64_t endpoint,
		   mono_s_t now)
{
	uint32_t mtu = c->mtu, added = overhead(c, endpoint),
		 path = path_mtu(atomic_load_explicit(&t->path, memory_order_relaxed), now);

	if (path != 0 && (path < added || path - added < mtu))
		mtu = path < added ? 0 : path - added;
	return mtu < TUNNEL_MTU_MIN ? TUNNEL_MTU_MIN : mtu;
}

uint8_t encap_tos(uint8_t class, enum dscp dscp)
{
	unsigned codepoint = dscp == DSCP_COPY ? class >> 2 : (unsigned)dscp - DSCP_FIXED;

	return (uint8_t)(codepoint << 2 | ecn_encapsulate(class));
}

void encap_ayiya(struct out *out, struct auth_item *sign, struct tunnel *t,
		 const struct tunnel_conf *c, uint64_t endpoint, enum ayiya_opcode opcode,
		 uint8_t next_header, uint8_t *payload, uint32_t len, uint32_t wall)
{
	bool sha256 = is_sha256(endpoint);
	uint32_t header = (uint32_t)ayiya_header_len(sha256);
	struct ip6 identity = tunnel_pop(c);

	*out = (struct out){ .kind = OUT_UDP,
			     .data = payload - header,
			     .len = header + len,
			     .to = endpoint_of(endpoint),
			     .tunnel = t };
	ayiya_encode(out->data, sha256, opcode, next_header, wall, &identity,
		     sha256 ? c->key_sha256 : c->key_sha1);
	*sign = (struct auth_item){
		.alg = sha256 ? DIGEST_SHA256 : DIGEST_SHA1,
		.data = out->data,
		.len = out->len,
		.out = out->data + AYIYA_AT_SIGNATURE,
	};
}

bool encap_packet(struct out *out, struct auth_item *sign, struct tunnel *t,
		  const struct tunnel_conf *c, uint64_t endpoint, uint8_t *inner, uint32_t len,
		  enum dscp dscp, struct timestamp now)
{
	bool is_ayiya = c->type == TUNNEL_AYIYA;
	uint32_t mtu = encap_mtu(t, c, endpoint, now.mono);

	if (is_ayiya)
		encap_ayiya(out, sign, t, c, endpoint, AYIYA_FORWARD, AYIYA_NEXT_IPV6, inner, len,
			    now.wall);
	else
		*out = (struct out){ .kind = OUT_PROTO41,
				     .data = inner,
				     .len = len,
				     .to = endpoint_of(endpoint),
				     .tunnel = t };
	out->tos = encap_tos(ipv6_traffic_class(inner), dscp);
	out->dont_fragment = !is_ayiya && mtu > TUNNEL_MTU_MIN && len <= mtu;
	return is_ayiya;
}
