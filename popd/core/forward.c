#include "popd/core/forward.h"

#include "popd/core/ask.h"
#include "popd/core/encap.h"
#include "popd/core/probe.h"

/* These reasons lie with the tunnel that a packet goes to; all others lie with the packet, and so
 * with the tunnel that it came from. */
static bool is_about_destination(enum drop d)
{
	return d == DROP_TUNNEL_NET_HOST || d == DROP_TUNNEL_DISABLED || d == DROP_TUNNEL_DOWN ||
	       d == DROP_NO_ENDPOINT || d == DROP_TOO_BIG;
}

static void drop_packet(const struct forward_packet *p, struct verdict *v, enum drop why)
{
	bool to = p->destination.tunnel && (!p->from || is_about_destination(why));

	v->action = ACTION_NONE;
	v->drop = why;
	v->charge = to ? p->destination.tunnel : p->from;
	v->charge_conf = to ? p->destination.conf : p->from_conf;
}

/* Drops the packet and answers with an error from the PoP's end of its tunnel, or from popd's own
 * address when no tunnel is known. */
static void reject(const struct forward_packet *p, struct verdict *v, enum drop why,
		   struct icmp6_error error)
{
	const struct tunnel_conf *near = p->from ? p->from_conf : p->destination.conf;

	drop_packet(p, v, why);
	v->action = ACTION_ERROR;
	v->error = error;
	v->answer = near ? tunnel_pop(near) : p->pop->own;
}

static void reject_unreachable(const struct forward_packet *p, struct verdict *v, enum drop why,
			       enum icmp6_code code)
{
	reject(p, v, why, (struct icmp6_error){ ICMP6_UNREACHABLE, (uint8_t)code, 0 });
}

/* ---- 1. the source ---- */

enum drop forward_check_source(const uint8_t *packet)
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

/* BCP 38, in both directions. */
static enum drop check_owner(const struct forward_packet *p, const struct ip6 *source)
{
	if (!p->from)
		return pop_owns(p->pop, source) ? DROP_SPOOFED_FROM_UPLINK : DROP_NONE;
	struct ip6 near = tunnel_pop(p->from_conf);
	return p->source.tunnel == p->from && !ip6_equal(source, &near) ? DROP_NONE
									: DROP_SPOOFED_FROM_TUNNEL;
}

/* ---- 3. the PoP itself ---- */

static bool is_for_pop(const struct forward_packet *p, const struct ip6 *destination)
{
	if (p->destination.kind == ROUTE_TUNNEL_NET) {
		struct ip6 near = tunnel_pop(p->destination.conf);
		if (ip6_equal(destination, &near))
			return true;
	}
	return pop_is(p->pop, destination);
}

static void receive_echo_reply(const struct forward_conf *conf, const struct forward_packet *p,
			       const struct ipv6_upper *u, struct timestamp now, struct verdict *v)
{
	struct ip6 source = ipv6_source(p->data);
	bool own = p->from && p->destination.tunnel == p->from;
	struct ip6 client = own ? tunnel_client(p->from_conf) : source;

	const uint8_t *reply = p->data + u->offset;
	size_t len = p->len - u->offset;

	drop_packet(p, v, DROP_POP_UNUSED);
	if (!own || !ip6_equal(&source, &client))
		return;
	if (probe_is_answer(reply, len, p->from_conf, conf->probe_key, now.mono_us, &v->rtt_us,
			    &v->probe))
		v->action = ACTION_PROBED;
	else if (ask_is_answer(reply, len, p->from_conf, conf->probe_key, p->outer, now.mono_us))
		v->action = ACTION_ANSWERED;
	else
		return;
	v->drop = DROP_NONE;
}

static void receive_icmp(const struct forward_conf *conf, const struct forward_packet *p,
			 const struct ipv6_upper *u, const struct ip6 *destination,
			 struct timestamp now, struct verdict *v)
{
	uint8_t type = p->len - u->offset >= ICMP6_HEADER ? p->data[u->offset] : 0;

	if (type == ICMP6_ECHO_REQUEST && p->data[u->offset + 1] == 0) {
		v->action = ACTION_ECHO;
		v->upper = u->offset;
	} else if (type == ICMP6_ECHO_REPLY) {
		receive_echo_reply(conf, p, u, now, v);
	} else if (p->from && p->destination.tunnel == p->from &&
		   icmp6_is_solicitation(p->data, p->len, u, destination)) {
		v->action = ACTION_NEIGHBOUR;
		v->answer = *destination;
	} else {
		drop_packet(p, v, DROP_POP_UNUSED);
	}
}

static void deliver_to_pop(const struct forward_conf *conf, const struct forward_packet *p,
			   const struct ip6 *destination, struct timestamp now, struct verdict *v)
{
	struct ipv6_upper u = ipv6_upper(p->data, p->len);

	/* we process no routing headers (RFC 8200 4.4, RFC 5095): the error points to the type */
	if (u.routing) {
		reject(p, v, DROP_NOT_FOR_POP,
		       (struct icmp6_error){ ICMP6_PARAMETER, 0, u.routing + 2 });
		v->answer = *destination;
	} else if (u.is_fragment) {
		/* The PoP does not reassemble. Answering each fragment of an echo request with a
		 * fragment of the reply would need no memory, but a later fragment of a request
		 * looks like one of a reply, so two PoPs would answer each other for ever. */
		drop_packet(p, v, DROP_NOT_FOR_POP);
	} else if (u.next == IPV6_NEXT_ICMP) {
		receive_icmp(conf, p, &u, destination, now, v);
	} else {
		reject_unreachable(p, v, DROP_NOT_FOR_POP, ICMP6_PORT);
		v->answer = *destination;
	}
}

/* ---- 2. multicast ---- */

/* A client may solicit our end of the tunnel by solicited-node multicast (RFC 4291 2.7.1).
 * Everything else needs no answer: a link with two configured ends has no multicast listeners, and
 * a router advertisement would only make the client configure an address in a prefix of which ::2
 * alone is routed. */
static void receive_multicast(const struct forward_packet *p, struct verdict *v)
{
	struct ip6 near;

	if (p->from) {
		near = tunnel_pop(p->from_conf);
		struct ipv6_upper u = ipv6_upper(p->data, p->len);
		if (icmp6_is_solicitation(p->data, p->len, &u, &near)) {
			v->action = ACTION_NEIGHBOUR;
			v->answer = near;
			return;
		}
	}
	drop_packet(p, v, DROP_LINK_LOCAL);
}

/* ---- 4 and 5. route, hop limit, MTU ---- */

static void reject_hop_limit(const struct forward_packet *p, struct verdict *v)
{
	reject(p, v, DROP_HOP_LIMIT, (struct icmp6_error){ ICMP6_TIME_EXCEEDED, 0, 0 });
}

static void send_to_uplink(const struct forward_packet *p, struct verdict *v)
{
	if (p->data[IPV6_AT_HOPS] <= 1)
		reject_hop_limit(p, v);
	else
		v->action = ACTION_UPLINK;
}

static void send_to_tunnel(const struct forward_conf *conf, const struct forward_packet *p,
			   struct timestamp now, struct verdict *v)
{
	struct tunnel *to = p->destination.tunnel;
	const struct tunnel_conf *c = p->destination.conf;

	if (!c->enabled) {
		reject_unreachable(p, v, DROP_TUNNEL_DISABLED, ICMP6_PROHIBITED);
		return;
	}
	v->endpoint = atomic_load_explicit(&to->endpoint, memory_order_relaxed);
	if (v->endpoint == 0 || !tunnel_is_up(to, c, now.mono, conf->expiry)) {
		reject_unreachable(p, v,
				   c->type == TUNNEL_STATIC ? DROP_NO_ENDPOINT : DROP_TUNNEL_DOWN,
				   ICMP6_NO_ROUTE);
		return;
	}
	if (p->data[IPV6_AT_HOPS] <= 1) {
		reject_hop_limit(p, v);
		return;
	}
	uint32_t mtu = encap_mtu(to, c, v->endpoint, now.mono);
	if (p->len > mtu) {
		reject(p, v, DROP_TOO_BIG, (struct icmp6_error){ ICMP6_TOO_BIG, 0, mtu });
		return;
	}
	v->action = ACTION_TUNNEL;
	v->to = to;
	v->to_conf = c;
}

static void route(const struct forward_conf *conf, const struct forward_packet *p,
		  const struct ip6 *destination, struct timestamp now, struct verdict *v)
{
	if (p->destination.kind == ROUTE_NONE) {
		if (pop_owns(p->pop, destination))
			reject_unreachable(p, v, DROP_NO_SUCH_TUNNEL, ICMP6_ADDRESS);
		else if (p->from)
			send_to_uplink(p, v);
		else
			/* the uplink would send it back to us at once */
			drop_packet(p, v, DROP_INNER_MARTIAN_DEST);
		return;
	}
	struct ip6 client = tunnel_client(p->destination.conf);
	if (p->destination.kind == ROUTE_TUNNEL_NET && !ip6_equal(destination, &client))
		reject_unreachable(p, v, DROP_TUNNEL_NET_HOST, ICMP6_NO_ROUTE);
	else if (p->destination.tunnel == p->from)
		drop_packet(p, v, DROP_SAME_TUNNEL);
	else
		send_to_tunnel(conf, p, now, v);
}

bool forward_is_transit(const struct pop_conf *pop, const uint8_t *packet)
{
	struct ip6 destination = ipv6_destination(packet);

	return packet[IPV6_AT_HOPS] > 1 && ipv6_kind(&destination) == IPV6_GLOBAL &&
	       !pop_owns(pop, &destination) && !pop_is(pop, &destination);
}

void forward_decide(const struct forward_conf *conf, const struct forward_packet *p,
		    struct timestamp now, struct verdict *v)
{
	struct ip6 source = ipv6_source(p->data), destination = ipv6_destination(p->data);
	enum ipv6_kind to = ipv6_kind(&destination);
	enum drop fault = forward_check_source(p->data);

	*v = (struct verdict){ .action = ACTION_NONE };
	if (fault == DROP_NONE)
		fault = check_owner(p, &source);
	if (fault == DROP_NONE &&
	    (ipv6_embeds(&source, p->pop->ipv4) || ipv6_embeds(&destination, p->pop->ipv4)))
		fault = DROP_TUNNEL_LOOP;
	if (fault != DROP_NONE)
		drop_packet(p, v, fault);
	else if (to == IPV6_MULTICAST_LINK)
		receive_multicast(p, v);
	else if (to == IPV6_MULTICAST)
		drop_packet(p, v, DROP_INNER_MULTICAST);
	else if (to != IPV6_GLOBAL)
		drop_packet(p, v, DROP_INNER_MARTIAN_DEST);
	else if (is_for_pop(p, &destination))
		deliver_to_pop(conf, p, &destination, now, v);
	else
		route(conf, p, &destination, now, v);
}
