#include "popd/port/tap.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/wire/ayiya.h"
#include "lib/wire/heartbeat.h"
#include "popd/port/ring.h"

enum { TAP_RING = 1024 };

struct tap {
	const struct tap_watch *watch;
	struct ring *ring;
	/* by the worker */
	_Atomic uint64_t lost;
	uint8_t (*before)[TAP_SNAP]; /* a batch as received */
	uint32_t lens[JOB_BATCH];
	struct tap_packet packet; /* the one that is pushed next */
	/* by the control thread */
	uint64_t lost_reported;
	bool has_first;
	struct tap_packet first;
};

struct tap *tap_create(const struct tap_watch *watch)
{
	struct tap *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->watch = watch;
	/* large, but its pages are touched when used */
	t->ring = ring_create(TAP_RING, sizeof(struct tap_packet));
	t->before = calloc(JOB_BATCH, sizeof(*t->before));
	if (!t->ring || !t->before) {
		tap_free(t);
		return NULL;
	}
	return t;
}

void tap_free(struct tap *t)
{
	if (!t)
		return;
	ring_free(t->ring);
	free(t->before);
	free(t);
}

/* ---- worker ---- */

bool tap_is_watched(const struct tap *t)
{
	return atomic_load_explicit(&t->watch->watchers, memory_order_relaxed) != 0;
}

static size_t snapped(uint32_t len, size_t size)
{
	return len < size ? len : size;
}

void tap_before(struct tap *t, const struct job *jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		t->lens[i] = jobs[i].len;
		memcpy(t->before[i], jobs[i].data, snapped(jobs[i].len, TAP_SNAP));
	}
}

static bool is_watched(const struct tunnel *t)
{
	return t && atomic_load_explicit(&t->watched, memory_order_relaxed);
}

static bool concerns_watcher(const struct tap *t, const struct job *job)
{
	bool out = (job->out[0].kind != OUT_NONE && is_watched(job->out[0].tunnel)) ||
		   (job->out[1].kind != OUT_NONE && is_watched(job->out[1].tunnel));

	return out || is_watched(job->tunnel) ||
	       (job->drop != DROP_NONE && is_watched(job->charged)) ||
	       atomic_load_explicit(&t->watch->all, memory_order_relaxed);
}

static uint32_t id_of(const struct tunnel *t)
{
	const struct tunnel_conf *c = t ? atomic_load(&t->conf) : NULL;

	return c ? c->id : 0;
}

/* A packet sent back to where the job came from is popd's own, since none is forwarded to there
 * (DROP_SAME_TUNNEL, DROP_INNER_MARTIAN_DEST). */
static bool is_answer(const struct job *job, const struct out *out)
{
	if (job_is_own(job->source))
		return false;
	return out->kind == OUT_TUN ? job->source == JOB_FROM_TUN : out->tunnel == job->tunnel;
}

static void fill_out(struct tap_out *to, uint8_t *bytes, size_t size, const struct job *job,
		     const struct out *out)
{
	*to = (struct tap_out){ .kind = (uint8_t)out->kind };
	if (out->kind == OUT_NONE)
		return;
	to->tos = out->tos;
	to->dont_fragment = out->dont_fragment;
	to->answer = is_answer(job, out);
	to->len = out->len;
	if (out->kind != OUT_TUN) {
		to->to = out->to;
		to->tunnel = id_of(out->tunnel);
	}
	memcpy(bytes, out->data, snapped(out->len, size));
}

/* A faulty client may send the key itself. */
static void hide_key(const struct job *job, uint8_t *data, size_t len)
{
	struct heartbeat beat;
	size_t at = len;

	if (job->source == JOB_FROM_AYIYA)
		at = AYIYA_AT_SIGNATURE;
	else if (job->source == JOB_FROM_HEARTBEAT && heartbeat_decode(data, len, &beat) == 0)
		at = beat.signed_len;
	if (job->conf && at < len)
		tunnel_hide_key(job->conf, data + at, len - at);
}

static void fill(struct tap *t, size_t i, const struct job *job, int64_t wall_us)
{
	struct tap_packet *p = &t->packet;
	size_t len = snapped(t->lens[i], sizeof(p->data));

	p->wall_us = wall_us;
	p->source = (uint8_t)job->source;
	p->drop = (uint8_t)job->drop;
	p->tos = job->outer_tos;
	p->from = job->from;
	p->len = t->lens[i];
	p->tunnel = job->tunnel && job->conf ? job->conf->id : 0;
	p->charged = job->drop != DROP_NONE && job->charged_conf ? job->charged_conf->id : 0;
	memcpy(p->data, t->before[i], len);
	hide_key(job, p->data, len);
	fill_out(&p->out[0], p->sent, sizeof(p->sent), job, &job->out[0]);
	fill_out(&p->out[1], p->echo, sizeof(p->echo), job, &job->out[1]);
}

bool tap_after(struct tap *t, const struct job *jobs, size_t n)
{
	bool pushed = false;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < n; i++) {
		if (!concerns_watcher(t, &jobs[i]))
			continue;
		fill(t, i, &jobs[i], (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
		if (!ring_push(t->ring, &t->packet))
			atomic_fetch_add_explicit(&t->lost, 1, memory_order_relaxed);
		pushed = true;
	}
	return pushed;
}

/* ---- control thread ---- */

const struct tap_packet *tap_first(struct tap *t)
{
	if (!t->has_first)
		t->has_first = ring_pop(t->ring, &t->first);
	return t->has_first ? &t->first : NULL;
}

void tap_done(struct tap *t)
{
	t->has_first = false;
}

uint64_t tap_lost(struct tap *t)
{
	uint64_t lost = atomic_load_explicit(&t->lost, memory_order_relaxed),
		 more = lost - t->lost_reported;

	t->lost_reported = lost;
	return more;
}
