/*
 * The stages, each over the whole batch before the next begins, so that memory is fetched for many
 * packets at once and digests are computed together:
 *
 *   arrive_parse     outer headers, and the inner one of packets from inside
 *   look up          the tunnel that each names (identity, client, inner source)
 *   arrive_check     all that needs no digest
 *   auth_run         the digests of the packets that are left
 *   arrive_accept    signatures and replays; yields inner packets
 *   look up          inner destinations (and inner sources of AYIYA)
 *   depart_*         the decision, and what is sent
 *   auth_run         the signatures of what is sent
 */
#include "popd/core/pipeline.h"

#include "lib/wire/icmp6.h"
#include "lib/wire/ipv4.h"
#include "popd/core/arrive.h"
#include "popd/core/auth.h"
#include "popd/core/batch.h"
#include "popd/core/depart.h"
#include "popd/core/path.h"

_Static_assert(JOB_HEADROOM >= ICMP6_ERROR_HEADROOM + AYIYA_HEADER_MAX,
	       "an ICMPv6 error and an AYIYA header fit before the packet that they answer");
_Static_assert(sizeof(((struct job *)NULL)->echo) >= AYIYA_HEADER_MAX,
	       "the second output is an AYIYA header");

/* Every packet touches the counters of its tunnel as well. */
static void prefetch_counters(const struct batch *b, const struct route *r)
{
	if (r->tunnel)
		__builtin_prefetch(&b->counters->tunnels[r->tunnel->slot], 1);
}

static void look_up_tunnels(struct batch *b, const struct table *table)
{
	const struct ip6 *keys[JOB_BATCH];
	struct route routes[JOB_BATCH];

	for (size_t i = 0; i < b->n; i++)
		keys[i] = b->jobs[i].drop ? NULL : b->work[i].identity;
	table_lookup_batch(table, keys, b->n, routes);
	for (size_t i = 0; i < b->n; i++) {
		b->work[i].route = routes[i];
		prefetch_counters(b, &routes[i]);
	}
}

/* The keys are the sources of AYIYA packets, then the destinations of all packets. */
static void look_up_inner(struct batch *b, const struct table *table, struct route *destinations)
{
	const struct ip6 *keys[2 * JOB_BATCH];
	struct route routes[2 * JOB_BATCH];

	for (size_t i = 0; i < b->n; i++) {
		const uint8_t *inner = b->jobs[i].drop ? NULL : b->work[i].inner;
		bool forwards = inner && !job_is_own(b->jobs[i].source);
		keys[i] = forwards && b->jobs[i].source == JOB_FROM_AYIYA
				  ? (const struct ip6 *)(inner + IPV6_AT_SOURCE)
				  : NULL;
		keys[b->n + i] = forwards ? (const struct ip6 *)(inner + IPV6_AT_DESTINATION)
					  : NULL;
	}
	table_lookup_batch(table, keys, 2 * b->n, routes);
	for (size_t i = 0; i < b->n; i++) {
		if (keys[i])
			b->work[i].route = routes[i];
		destinations[i] = routes[b->n + i];
		prefetch_counters(b, &destinations[i]);
	}
}

static void depart(struct batch *b, const struct table *table)
{
	struct route destinations[JOB_BATCH];

	look_up_inner(b, table, destinations);
	for (size_t i = 0; i < b->n; i++) {
		const struct work *w = &b->work[i];
		if (w->echo_requested)
			depart_echo(b, i);
		if (b->jobs[i].drop || !w->inner) {
			if (w->refused)
				depart_refusal(b, i);
			continue;
		}
		if (b->jobs[i].source == JOB_PROBE)
			depart_probe(b, i);
		else if (b->jobs[i].source == JOB_ASK)
			depart_ask(b, i);
		else
			depart_inner(b, i, &destinations[i]);
	}
}

void pipeline_run(struct pipeline *p, struct job *jobs, size_t n, struct timestamp now)
{
	struct batch b;

	b.jobs = jobs;
	b.n = n;
	b.now = now;
	p->last = now.mono;
	b.pop = table_pop(p->table);
	b.forward = &p->forward;
	b.counters = p->counters;
	b.limiter = p->limiter;
	b.roam = p->roam;
	b.asks = p->asks;
	b.gone = table_gone(p->table);
	b.ayiya_port = p->ayiya_port;
	b.dscp = p->dscp;
	batch_reset(&b);
	arrive_parse(&b);
	look_up_tunnels(&b, p->table);
	arrive_check(&b);
	auth_run(p->digest, &p->sha1, b.items, b.item_count);
	arrive_accept(&b);
	depart(&b, p->table);
	auth_run(p->digest, &p->sha1, b.items, b.item_count);
	batch_drop_unsigned(&b);
}

/* Counts a packet that could not be sent. */
static void drop_out(struct pipeline *p, const struct out *out, enum drop why, uint64_t detail,
		     uint32_t wall)
{
	static const uint8_t source_of[] = { [OUT_TUN] = JOB_FROM_TUN,
					     [OUT_UDP] = JOB_FROM_AYIYA,
					     [OUT_PROTO41] = JOB_FROM_PROTO41 };
	const struct tunnel_conf *c = out->tunnel ? atomic_load(&out->tunnel->conf) : NULL;
	struct drop_note note = {
		.why = why,
		.source = source_of[out->kind],
		.refused = true,
		.time = wall,
		.tunnel = c ? c->id : 0,
		.len = out->len,
		.peer = out->kind == OUT_TUN ? 0 : endpoint_pack(out->to, 0),
		.detail = { detail },
	};

	note_head(&note, out->data, out->len);
	counters_drop(p->counters, out->tunnel ? out->tunnel->slot : UINT32_MAX, &note);
}

void pipeline_refused(struct pipeline *p, const struct out *out, int error, uint32_t wall)
{
	drop_out(p, out, out->kind == OUT_TUN ? DROP_TUN_REFUSED : DROP_SEND_REFUSED,
		 (uint64_t)error, wall);
}

void pipeline_too_big(struct pipeline *p, const struct out *out, uint32_t wall)
{
	uint32_t len = IPV4_HEADER + out->len;

	if (out->tunnel)
		path_lower(out->tunnel, endpoint_pack(out->to, 0), path_plateau(len), p->last);
	drop_out(p, out, DROP_OUTER_TOO_BIG, len, wall);
}

void pipeline_icmp_error(struct pipeline *p, struct tunnel *t, const struct icmp_error *e,
			 const uint8_t *data, uint32_t len, struct timestamp now)
{
	const struct tunnel_conf *conf = t ? atomic_load(&t->conf) : NULL;
	enum drop why = conf ? icmp_error_apply(e, t, conf, now.mono) : DROP_ICMP4_UNVERIFIED;
	bool counts = why != DROP_ICMP4_UNVERIFIED;
	struct drop_note note = {
		.why = why,
		.source = JOB_FROM_ICMP4,
		.time = now.wall,
		.tunnel = counts ? conf->id : 0,
		.len = len,
		.peer = e->from,
		.detail = { e->about, e->mtu },
	};

	note_head(&note, data, len);
	counters_drop(p->counters, counts ? t->slot : UINT32_MAX, &note);
}

void pipeline_unreadable(struct pipeline *p, enum job_source source, struct endpoint4 from,
			 const uint8_t *data, uint32_t len, uint32_t wall)
{
	struct drop_note note = {
		.why = DROP_OUTER_SHORT,
		.source = (uint8_t)source,
		.time = wall,
		.len = len,
		.peer = endpoint_pack(from, 0),
	};

	note_head(&note, data, len);
	counters_drop(p->counters, UINT32_MAX, &note);
}
