/*
 * The stages, each over the whole batch before the next begins, so that memory is fetched for many
 * at once and digests come together:
 *
 *   arrive_open      outer headers, and of what comes from inside the inner one
 *   look up          the tunnel each names (identity, client, inner source)
 *   arrive_check     all that can be refused without a digest
 *   auth_run         the digests of all that is left
 *   arrive_accept    authentic? replayed? then: inner packets
 *   look up          inner destinations (and sources of AYIYA)
 *   depart_*         the decision, and what goes out
 *   auth_run         the signatures of what goes out
 */
#include "popd/core/pipeline.h"

#include "lib/wire/icmp6.h"
#include "lib/wire/ipv4.h"
#include "popd/core/batch.h"
#include "popd/core/path.h"

_Static_assert(PIPELINE_BATCH <= UINT8_MAX, "batch.asker holds a job's index");
_Static_assert(JOB_HEADROOM >= ICMP6_ERROR_HEADROOM + AYIYA_HEADER_MAX,
	       "an error about a packet from the uplink, wrapped for a tunnel, fits before it");
_Static_assert(sizeof(((struct job *)NULL)->echo) >= AYIYA_HEADER_MAX,
	       "the second answer is a header");

void batch_drop(struct batch *b, size_t i, enum drop why, const struct tunnel *t,
		const struct tunnel_conf *c)
{
	struct drop_note note;

	b->jobs[i].drop = why;
	b->jobs[i].charged = t;
	b->jobs[i].charged_conf = c;
	note_take(b, i, why, t, c, &note);
	counters_drop(b->p->counters, t ? t->slot : UINT32_MAX, &note);
}

static void reset(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct job *job = &b->jobs[i];
		if (job->source != JOB_PROBE)
			job->tunnel = NULL;
		job->conf = NULL;
		job->drop = DROP_NONE;
		job->event = EVENT_NONE;
		job->old_endpoint = 0;
		job->out[0].kind = job->out[1].kind = OUT_NONE;
	}
}

/* Of its tunnel every packet touches the counters, too. */
static void prefetch_counters(const struct batch *b, const struct route *r)
{
	if (r->tunnel)
		__builtin_prefetch(&b->p->counters->tunnels[r->tunnel->slot], 1);
}

static void look_up_tunnels(struct batch *b)
{
	const struct ip6 *keys[PIPELINE_BATCH];
	struct route routes[PIPELINE_BATCH];

	for (size_t i = 0; i < b->n; i++)
		keys[i] = b->jobs[i].drop ? NULL : b->work[i].identity;
	table_lookup_batch(b->p->table, keys, b->n, routes);
	for (size_t i = 0; i < b->n; i++) {
		b->work[i].route = routes[i];
		prefetch_counters(b, &routes[i]);
	}
}

/* Sources of AYIYA packets first, then destinations of all. */
static void look_up_inner(struct batch *b, struct route *destinations)
{
	const struct ip6 *keys[2 * PIPELINE_BATCH];
	struct route routes[2 * PIPELINE_BATCH];

	for (size_t i = 0; i < b->n; i++) {
		const uint8_t *inner = b->jobs[i].drop ? NULL : b->work[i].inner;
		bool crosses = inner && b->jobs[i].source != JOB_PROBE;
		keys[i] = crosses && b->jobs[i].source == JOB_FROM_AYIYA
				  ? (const struct ip6 *)(inner + IPV6_AT_SOURCE)
				  : NULL;
		keys[b->n + i] = crosses ? (const struct ip6 *)(inner + IPV6_AT_DESTINATION) : NULL;
	}
	table_lookup_batch(b->p->table, keys, 2 * b->n, routes);
	for (size_t i = 0; i < b->n; i++) {
		if (keys[i])
			b->work[i].route = routes[i];
		destinations[i] = routes[b->n + i];
		prefetch_counters(b, &destinations[i]);
	}
}

static void depart(struct batch *b)
{
	struct route destinations[PIPELINE_BATCH];

	look_up_inner(b, destinations);
	for (size_t i = 0; i < b->n; i++) {
		const struct work *w = &b->work[i];
		if (w->echoes)
			depart_echo(b, i);
		if (b->jobs[i].drop || !w->inner)
			continue;
		if (b->jobs[i].source == JOB_PROBE)
			depart_probe(b, i);
		else
			depart_inner(b, i, &destinations[i]);
	}
}

/* Without a signature nobody would take it. */
static void drop_unsigned(struct batch *b)
{
	for (size_t k = 0; k < b->item_count; k++) {
		struct job *job = &b->jobs[b->asker[k]];
		if (b->items[k].done)
			continue;
		for (size_t o = 0; o < ARRAY_LEN(job->out); o++)
			if (job->out[o].kind == OUT_UDP && job->out[o].data == b->items[k].data)
				job->out[o].kind = OUT_NONE;
		struct drop_note note;
		job->drop = DROP_INTERNAL;
		job->charged = job->tunnel;
		job->charged_conf = job->conf;
		note_take_length(b, b->asker[k], DROP_INTERNAL, job->conf, &note);
		counters_drop(b->p->counters, job->tunnel ? job->tunnel->slot : UINT32_MAX, &note);
	}
}

void pipeline_run(struct pipeline *p, struct job *jobs, size_t n, struct timestamp now)
{
	struct batch b;

	b.p = p;
	b.jobs = jobs;
	b.n = n;
	b.now = now;
	b.pop = table_pop(p->table);
	b.item_count = 0;
	reset(&b);
	arrive_open(&b);
	look_up_tunnels(&b);
	arrive_check(&b);
	auth_run(p->digest, &p->sha1, b.items, b.item_count);
	arrive_accept(&b);
	depart(&b);
	auth_run(p->digest, &p->sha1, b.items, b.item_count);
	drop_unsigned(&b);
}

/* What is kept of a packet that was to leave. */
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
		path_lower(out->tunnel, endpoint_pack(out->to, 0), path_plateau(len), wall);
	drop_out(p, out, DROP_OUTER_TOO_BIG, len, wall);
}

void pipeline_icmp_error(struct pipeline *p, struct tunnel *t, const struct icmp_error *c,
			 const uint8_t *data, uint32_t len, uint32_t wall)
{
	const struct tunnel_conf *conf = t ? atomic_load(&t->conf) : NULL;
	enum drop why = conf ? icmp_error_settle(c, t, conf, wall) : DROP_ICMP4_UNVERIFIED;
	bool is_its = why != DROP_ICMP4_UNVERIFIED;
	struct drop_note note = {
		.why = why,
		.source = JOB_FROM_ICMP4,
		.time = wall,
		.tunnel = is_its ? conf->id : 0,
		.len = len,
		.peer = c->from,
		.detail = { c->about, c->mtu },
	};

	note_head(&note, data, len);
	counters_drop(p->counters, is_its ? t->slot : UINT32_MAX, &note);
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
