#include "popd/core/depart.h"

#include "lib/wire/icmp6.h"
#include "popd/core/counters.h"
#include "popd/core/encap.h"
#include "popd/core/forward.h"
#include "popd/core/limit.h"
#include "popd/core/probe.h"
#include "popd/core/replay.h"

static void to_uplink(struct job *job, uint8_t *packet, uint32_t len)
{
	job->out[0] = (struct out){
		.kind = OUT_TUN, .data = packet, .len = len, .tunnel = job->tunnel
	};
}

static void to_tunnel(struct batch *b, size_t i, struct tunnel *t, const struct tunnel_conf *c,
		      uint64_t endpoint, uint8_t *packet, uint32_t len)
{
	struct auth_item sign;

	if (encap_packet(&b->jobs[i].out[0], &sign, t, c, endpoint, packet, len, b->dscp, b->now))
		*batch_item(b, i) = sign;
}

/* Sends to the uplink, or to the present endpoint of the tunnel that the job came from. */
static void send_back(struct batch *b, size_t i, uint8_t *packet, uint32_t len)
{
	struct job *job = &b->jobs[i];
	uint64_t endpoint;

	if (!job->tunnel) {
		to_uplink(job, packet, len);
		return;
	}
	endpoint = atomic_load_explicit(&job->tunnel->endpoint, memory_order_relaxed);
	if (endpoint == 0)
		return;
	to_tunnel(b, i, job->tunnel, job->conf, endpoint, packet, len);
	counters_out(b->counters, job->tunnel->slot, len);
}

static enum limit limit_of(const struct verdict *v)
{
	if (v->error.type == ICMP6_TOO_BIG)
		return LIMIT_TOO_BIG;
	if (v->error.type == ICMP6_TIME_EXCEEDED)
		return LIMIT_TIME_EXCEEDED;
	return v->drop == DROP_NO_SUCH_TUNNEL ? LIMIT_UNALLOCATED : LIMIT_UNREACHABLE;
}

static void send_error(struct batch *b, size_t i, const struct verdict *v)
{
	static const struct ip6 unspecified;
	struct work *w = &b->work[i];
	uint32_t len;

	if (ip6_equal(&v->answer, &unspecified) || !icmp6_may_answer(w->inner, w->inner_len))
		return;
	/* the budget of the tunnel that sent the packet; from the uplink, of its destination */
	const struct tunnel *budget = b->jobs[i].tunnel ? b->jobs[i].tunnel : v->charge;
	bool sent = limiter_take(b->limiter, limit_of(v), budget ? budget->slot : UINT32_MAX,
				 b->now.mono_us);
	counters_answer(b->counters, sent);
	if (!sent)
		return;
	uint8_t *error = icmp6_error_build(w->inner, w->inner_len, v->error, &v->answer, &len);
	send_back(b, i, error, len);
}

static void send_answer(struct batch *b, size_t i, const struct verdict *v)
{
	struct work *w = &b->work[i];
	uint32_t len;
	uint8_t *answer = v->action == ACTION_ECHO
				  ? icmp6_echo_build(w->inner, w->inner_len, v->upper, &len)
				  : icmp6_advertisement_build(w->inner, &v->answer, &len);

	send_back(b, i, answer, len);
}

static void count_probe(struct batch *b, size_t i, const struct verdict *v)
{
	struct job *job = &b->jobs[i];

	if (probe_is_new(job->tunnel, v->probe)) {
		/* the key of the probe tells that the packet comes from where the probe went */
		tunnel_heard(job->tunnel, b->now.mono);
		counters_echo_received(b->counters, job->tunnel->slot, v->rtt_us);
	} else {
		batch_drop(b, i, DROP_POP_UNUSED, job->tunnel, job->conf);
	}
}

/* A GSO packet counts as the segments that it stands for. */
static void count_passed(struct batch *b, const struct job *job, uint32_t len)
{
	uint32_t packets = gso_segments(job->gso, len);

	if (job->tunnel)
		counters_in(b->counters, job->tunnel->slot, packets,
			    len + (packets - 1) * job->gso.header);
}

void depart_inner(struct batch *b, size_t i, const struct route *destination)
{
	struct job *job = &b->jobs[i];
	struct work *w = &b->work[i];
	struct forward_packet p = { w->inner,  w->inner_len, b->pop,   job->tunnel,
				    job->conf, w->from,      w->route, *destination };
	struct verdict v;

	forward_decide(b->forward, &p, b->now, &v);
	switch (v.action) {
	case ACTION_NONE:
		batch_drop(b, i, v.drop, v.charge, v.charge_conf);
		break;
	case ACTION_UPLINK:
		w->inner[IPV6_AT_HOPS]--;
		count_passed(b, job, w->inner_len);
		to_uplink(job, w->inner, w->inner_len);
		job->out[0].gso = job->gso;
		break;
	case ACTION_TUNNEL:
		w->inner[IPV6_AT_HOPS]--;
		count_passed(b, job, w->inner_len);
		counters_out(b->counters, v.to->slot, w->inner_len);
		to_tunnel(b, i, v.to, v.to_conf, v.endpoint, w->inner, w->inner_len);
		break;
	case ACTION_ERROR:
		batch_drop(b, i, v.drop, v.charge, v.charge_conf);
		send_error(b, i, &v);
		break;
	case ACTION_ECHO:
	case ACTION_NEIGHBOUR:
		count_passed(b, job, w->inner_len);
		send_answer(b, i, &v);
		break;
	case ACTION_PROBED:
		count_probe(b, i, &v);
		break;
	case ACTION_ANSWERED:
		counters_path_response(b->counters);
		replay_confirm(b->roam, job->tunnel, job->conf, w->from, b->now);
		break;
	}
}

void depart_probe(struct batch *b, size_t i)
{
	struct job *job = &b->jobs[i];
	struct work *w = &b->work[i];
	const struct tunnel_conf *c = job->tunnel ? atomic_load(&job->tunnel->conf) : NULL;

	job->conf = c;
	if (!c) {
		batch_drop(b, i, DROP_TUNNEL_UNKNOWN, NULL, NULL);
		return;
	}
	uint64_t endpoint = atomic_load_explicit(&job->tunnel->endpoint, memory_order_relaxed);
	if (!c->enabled || endpoint == 0 ||
	    !tunnel_is_up(job->tunnel, c, b->now.mono, b->forward->expiry)) {
		batch_drop(b, i,
			   !c->enabled     ? DROP_TUNNEL_DISABLED
			   : endpoint == 0 ? DROP_NO_ENDPOINT
					   : DROP_TUNNEL_DOWN,
			   job->tunnel, c);
		return;
	}
	counters_echo_sent(b->counters, job->tunnel->slot);
	to_tunnel(b, i, job->tunnel, c, endpoint, w->inner, w->inner_len);
}

void depart_ask(struct batch *b, size_t i)
{
	struct job *job = &b->jobs[i];
	struct work *w = &b->work[i];
	const struct tunnel_conf *c = atomic_load(&job->tunnel->conf);

	job->conf = c;
	if (!c) {
		batch_drop(b, i, DROP_TUNNEL_UNKNOWN, NULL, NULL);
		return;
	}
	if (!c->enabled) {
		batch_drop(b, i, DROP_TUNNEL_DISABLED, job->tunnel, c);
		return;
	}
	counters_path_challenge(b->counters);
	to_tunnel(b, i, job->tunnel, c, job->endpoint, w->inner, w->inner_len);
}

void depart_echo(struct batch *b, size_t i)
{
	struct job *job = &b->jobs[i];
	const struct ayiya_view *request = &b->work[i].ayiya;
	bool forwards = request->opcode == AYIYA_ECHO_REQUEST_FORWARD;
	uint8_t *payload = forwards ? job->echo + AYIYA_HEADER_MAX
				    : job->data + request->header_len;
	uint32_t len = forwards ? 0 : job->len - request->header_len;

	encap_ayiya(&job->out[forwards], batch_item(b, i), job->tunnel, job->conf, b->work[i].from,
		    AYIYA_ECHO_RESPONSE, forwards ? AYIYA_NEXT_NONE : request->next_header, payload,
		    len, b->now.wall);
	job->out[forwards].tos = encap_tos(0, b->dscp);
}

void depart_refusal(struct batch *b, size_t i)
{
	struct job *job = &b->jobs[i];
	const struct work *w = &b->work[i];
	struct icmp6_error prohibited = { ICMP6_UNREACHABLE, ICMP6_PROHIBITED, 0 };
	uint32_t len;

	if (!icmp6_may_answer(w->inner, w->inner_len))
		return;
	struct tunnel *budget = w->gone ? NULL : job->tunnel;
	bool sent = limiter_take(b->limiter, budget ? LIMIT_UNREACHABLE : LIMIT_DELETED,
				 budget ? budget->slot : UINT32_MAX, b->now.mono_us);
	counters_answer(b->counters, sent);
	if (!sent)
		return;
	uint8_t *error = icmp6_error_build(w->inner, w->inner_len, prohibited, &w->near, &len);
	if (job->source == JOB_FROM_AYIYA)
		encap_ayiya(&job->out[0], batch_item(b, i), job->tunnel, job->conf, w->from,
			    AYIYA_FORWARD, AYIYA_NEXT_IPV6, error, len, b->now.wall);
	else
		job->out[0] = (struct out){ .kind = OUT_PROTO41,
					    .data = error,
					    .len = len,
					    .to = job->from,
					    .tunnel = budget };
	job->out[0].tos = encap_tos(ipv6_traffic_class(error), b->dscp);
}
