#include "popd/core/icmp_error.h"

#include "lib/wire/ipv4.h"
#include "popd/core/path.h"

static enum drop reason_of(const struct icmp4_error *e)
{
	switch (e->type) {
	case ICMP4_TIME_EXCEEDED:
		return DROP_OUTER_TIME_EXCEEDED;
	case ICMP4_PARAMETER:
		return DROP_OUTER_PARAMETER;
	default:
		return e->code == ICMP4_FRAGMENTATION_NEEDED ? DROP_OUTER_TOO_BIG
							     : DROP_OUTER_UNREACHABLE;
	}
}

bool icmp_error_read(const struct icmp4_error *e, struct endpoint4 from, struct ip4 own,
		     uint16_t ayiya_port, struct icmp_error *out)
{
	bool is_udp = e->protocol == IPV4_PROTOCOL_UDP;

	*out = (struct icmp_error){
		.reason = reason_of(e),
		.about = endpoint_pack(
			(struct endpoint4){ e->destination, is_udp ? e->destination_port : 0 }, 0),
		.from = endpoint_pack((struct endpoint4){ from.addr, 0 }, 0),
	};
	/* Anybody who knows a client's IPv4 address can write the first 28 bytes of its packets. */
	if (out->reason == DROP_OUTER_TOO_BIG && !is_udp && e->shows != ICMP4_SHOWS_INNER)
		return false;
	if (out->reason == DROP_OUTER_TOO_BIG)
		out->mtu = e->mtu != 0 ? e->mtu : path_plateau(e->len);
	return e->source.v == own.v && e->destination.v != 0 &&
	       (!is_udp || (e->source_port == ayiya_port && e->destination_port != 0));
}

bool icmp_error_is_about(const struct icmp_error *e, const struct tunnel *t,
			 const struct tunnel_conf *conf)
{
	uint64_t endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	bool is_udp = endpoint_of(e->about).port != 0;

	return (conf->type == TUNNEL_AYIYA) == is_udp && (endpoint ^ e->about) >> 16 == 0;
}

enum drop icmp_error_apply(const struct icmp_error *e, struct tunnel *t,
			   const struct tunnel_conf *conf, mono_s_t now)
{
	if (!icmp_error_is_about(e, t, conf))
		return DROP_ICMP4_UNVERIFIED;
	if (e->reason == DROP_OUTER_TOO_BIG)
		path_lower(t, e->about, e->mtu, now);
	return e->reason;
}
