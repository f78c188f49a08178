#include "popd/core/forward.h"

#include "popd/core/encap.h"
#include "popd/core/probe.h"

/* Of the reasons below these tell of the tunnel a packet goes to; all others tell of the packet,
 * and so of the tunnel it came from. */
static bool is_about_destination(enum drop d)
{
	return d == DROP_TUNNEL_NET_HOST || d == DROP_TUNNEL_DISABLED || d == DROP_TUNNEL_DOWN ||
	       d == DROP_NO_ENDPOINT || d == DROP_TOO_BIG;
}

static void let_go(const struct transit *x, struct verdict *v, enum drop why)
{
	bool to = x->destination.tunnel && (!x->from || is_about_destination(why));

	v->action = ACTION_NONE;
	v->drop = why;
	v->charge = to ? x->destination.tunnel : x->from;
	v->charge_conf = to ? x->destination.conf : x->from_conf;
}

/* Lets it go with an error from the PoP's end of the tunnel concerned, or from popd itself when
 * none is known. */
static void refuse(const struct transit *x, struct verdict *v, enum drop why,
		   struct icmp6_error error)
{
	const struct tunnel_conf *near = x->from ? x->from_conf : x->destination.conf;

	let_go(x, v, why);
	v->action = ACTION_ERROR;
	v->error = error;
	v->answer = near ? tunnel_pop(near) : x->pop->own;
}

static void refuse_unreachable(const struct transit *x, struct verdict *v, enum drop why,
			       enum icmp6_code code)
{
	refuse(x, v, why, (struct icmp6_error){ ICMP6_UNREACHABLE, (uint8_t)code, 0 });
}

/* ---- 1. the source ---- */

enum drop forward_judge_source(const uint8_t *packet)
{
	struct ip6 source = ipv6_source(packet), destination = ipv6_destination(packet);

	switch (ipv6_kind(&source)) {
	case IPV6_GLOBAL:
		return DROP_NONE;
	case IPV6_LINK_LOCAL:
		return DROP_LINK_LOCAL;
	case IPV6_UNSPECIFIED: /* duplicate address detection, multicast listener reports */
		return ipv6_kind(&destination) == IPV6_MULTICAST_LINK ? DROP_LINK_LOCAL
								      : DROP_INNER_MARTIAN_SOURCE;
	default:
		return DROP_INNER_MARTIAN_SOURCE;
	}
}

/* BCP 38, both ways. */
static enum drop judge_owner(const struct transit *x, const struct ip6 *source)
{
	if (!x->from)
		return pop_owns(x->pop, source) ? DROP_SPOOFED_FROM_UPLINK : DROP_NONE;
	struct ip6 near = tunnel_pop(x->from_conf);
	return x->source.tunnel == x->from && !ip6_equal(source, &near) ? DROP_NONE
									: DROP_SPOOFED_FROM_TUNNEL;
}

/* ---- 3. the PoP itself ---- */

static bool is_for_pop(const struct transit *x, const struct ip6 *destination)
{
	if (x->destination.kind == ROUTE_TUNNEL_NET) {
		struct ip6 near = tunnel_pop(x->destination.conf);
		if (ip6_equal(destination, &near))
			return true;
	}
	return pop_is(x->pop, destination);
}

static void hear_echo_reply(const struct pipeline *p, const struct transit *x,
			    const struct ipv6_upper *u, struct timestamp now, struct verdict *v)
{
	struct ip6 source = ipv6_source(x->packet);
	bool own = x->from && x->destination.tunnel == x->from;
	struct ip6 client = own ? tunnel_client(x->from_conf) : source;

	let_go(x, v, DROP_POP_UNUSED);
	if (own && ip6_equal(&source, &client) &&
	    probe_is_answer(x->packet + u->offset, x->len - u->offset, x->from_conf, p->probe_key,
			    now.mono_us, &v->rtt_us, &v->probe)) {
		v->action = ACTION_PROBED;
		v->drop = DROP_NONE;
	}
}

static void hear_icmp(const struct pipeline *p, const struct transit *x, const struct ipv6_upper *u,
		      const struct ip6 *destination, struct timestamp now, struct verdict *v)
{
	uint8_t type = x->len - u->offset >= ICMP6_HEADER ? x->packet[u->offset] : 0;

	if (type == ICMP6_ECHO_REQUEST && x->packet[u->offset + 1] == 0) {
		v->action = ACTION_ECHO;
		v->upper = u->offset;
	} else if (type == ICMP6_ECHO_REPLY) {
		hear_echo_reply(p, x, u, now, v);
	} else if (x->from && x->destination.tunnel == x->from &&
		   icmp6_is_solicitation(x->packet, x->len, u, destination)) {
		v->action = ACTION_NEIGHBOUR;
		v->answer = *destination;
	} else {
		let_go(x, v, DROP_POP_UNUSED);
	}
}

static void deliver_to_pop(const struct pipeline *p, const struct transit *x,
			   const struct ip6 *destination, struct timestamp now, struct verdict *v)
{
	struct ipv6_upper u = ipv6_upper(x->packet, x->len);

	/* nobody routes by way of us (RFC 8200 4.4, RFC 5095): the type is at fault */
	if (u.routing) {
		refuse(x, v, DROP_NOT_FOR_POP,
		       (struct icmp6_error){ ICMP6_PARAMETER, 0, u.routing + 2 });
		v->answer = *destination;
	} else if (u.is_fragment) {
		/* No packet is put together here. To answer each fragment of an echo request by one
		 * of the reply would need no memory, but nobody can tell a later fragment of a
		 * request from one of a reply, so that two PoPs would go on answering each other
		 * for ever. */
		let_go(x, v, DROP_NOT_FOR_POP);
	} else if (u.next == IPV6_NEXT_ICMP) {
		hear_icmp(p, x, &u, destination, now, v);
	} else {
		refuse_unreachable(x, v, DROP_NOT_FOR_POP, ICMP6_PORT);
		v->answer = *destination;
	}
}

/* ---- 2. multicast ---- */

/* Solicited-node multicast (RFC 4291 2.7.1) is how a client may ask for our end of the tunnel. All
 * else is heard and needs no answer: a link with two configured ends has no listeners to keep
 * account of, and an advertisement in answer to a router solicitation would only make the client
 * number itself from a prefix of which ::2 alone is routed. */
static void hear_multicast(const struct transit *x, struct verdict *v)
{
	struct ip6 near;

	if (x->from) {
		near = tunnel_pop(x->from_conf);
		struct ipv6_upper u = ipv6_upper(x->packet, x->len);
		if (icmp6_is_solicitation(x->packet, x->len, &u, &near)) {
			v->action = ACTION_NEIGHBOUR;
			v->answer = near;
			return;
		}
	}
	let_go(x, v, DROP_LINK_LOCAL);
}

/* ---- 4 and 5. the way on ---- */

static void send_to_uplink(const struct transit *x, struct verdict *v)
{
	if (x->packet[IPV6_AT_HOPS] <= 1)
		refuse(x, v, DROP_HOP_LIMIT, (struct icmp6_error){ ICMP6_TIME_EXCEEDED, 0, 0 });
	else
		v->action = ACTION_UPLINK;
}

static void send_to_tunnel(const struct pipeline *p, const struct transit *x, struct timestamp now,
			   struct verdict *v)
{
	struct tunnel *to = x->destination.tunnel;
	const struct tunnel_conf *c = x->destination.conf;

	if (!c->enabled) {
		refuse_unreachable(x, v, DROP_TUNNEL_DISABLED, ICMP6_PROHIBITED);
		return;
	}
	v->endpoint = atomic_load_explicit(&to->endpoint, memory_order_relaxed);
	if (v->endpoint == 0 || !tunnel_is_up(to, c, now.wall, p->expiry)) {
		refuse_unreachable(x, v,
				   c->type == TUNNEL_STATIC ? DROP_NO_ENDPOINT : DROP_TUNNEL_DOWN,
				   ICMP6_NO_ROUTE);
		return;
	}
	if (x->packet[IPV6_AT_HOPS] <= 1) {
		refuse(x, v, DROP_HOP_LIMIT, (struct icmp6_error){ ICMP6_TIME_EXCEEDED, 0, 0 });
		return;
	}
	uint32_t mtu = encap_mtu(to, c, v->endpoint, now.wall);
	if (x->len > mtu) {
		refuse(x, v, DROP_TOO_BIG, (struct icmp6_error){ ICMP6_TOO_BIG, 0, mtu });
		return;
	}
	v->action = ACTION_TUNNEL;
	v->to = to;
	v->to_conf = c;
}

static void route(const struct pipeline *p, const struct transit *x, const struct ip6 *destination,
		  struct timestamp now, struct verdict *v)
{
	if (x->destination.kind == ROUTE_NONE) {
		if (pop_owns(x->pop, destination))
			refuse_unreachable(x, v, DROP_NO_SUCH_TUNNEL, ICMP6_ADDRESS);
		else if (x->from)
			send_to_uplink(x, v);
		else
			let_go(x, v,
			       DROP_INNER_MARTIAN_DEST); /* routed to us, not ours: it would come back at once */
		return;
	}
	struct ip6 client = tunnel_client(x->destination.conf);
	if (x->destination.kind == ROUTE_TUNNEL_NET && !ip6_equal(destination, &client))
		refuse_unreachable(x, v, DROP_TUNNEL_NET_HOST, ICMP6_NO_ROUTE);
	else if (x->destination.tunnel == x->from)
		let_go(x, v, DROP_SAME_TUNNEL);
	else
		send_to_tunnel(p, x, now, v);
}

bool forward_is_transit(const struct pop_conf *pop, const uint8_t *packet)
{
	struct ip6 destination = ipv6_destination(packet);

	return packet[IPV6_AT_HOPS] > 1 && ipv6_kind(&destination) == IPV6_GLOBAL &&
	       !pop_owns(pop, &destination) && !pop_is(pop, &destination);
}

void forward_decide(const struct pipeline *p, const struct transit *x, struct timestamp now,
		    struct verdict *v)
{
	struct ip6 source = ipv6_source(x->packet), destination = ipv6_destination(x->packet);
	enum ipv6_kind to = ipv6_kind(&destination);
	enum drop fault = forward_judge_source(x->packet);

	*v = (struct verdict){ .action = ACTION_NONE };
	if (fault == DROP_NONE)
		fault = judge_owner(x, &source);
	if (fault == DROP_NONE &&
	    (ipv6_embeds(&source, x->pop->ipv4) || ipv6_embeds(&destination, x->pop->ipv4)))
		fault = DROP_TUNNEL_LOOP;
	if (fault != DROP_NONE)
		let_go(x, v, fault);
	else if (to == IPV6_MULTICAST_LINK)
		hear_multicast(x, v);
	else if (to == IPV6_MULTICAST)
		let_go(x, v, DROP_INNER_MULTICAST);
	else if (to != IPV6_GLOBAL)
		let_go(x, v, DROP_INNER_MARTIAN_DEST);
	else if (is_for_pop(x, &destination))
		deliver_to_pop(p, x, &destination, now, v);
	else
		route(p, x, &destination, now, v);
}
