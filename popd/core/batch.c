#include "popd/core/batch.h"

#include <string.h>

#include "popd/core/counters.h"
#include "popd/core/drop_detail.h"

_Static_assert(JOB_BATCH <= UINT8_MAX, "batch.item_job holds a job's index");

void batch_reset(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct job *job = &b->jobs[i];
		if (!job_is_own(job->source))
			job->tunnel = NULL;
		job->conf = NULL;
		job->drop = DROP_NONE;
		job->event = EVENT_NONE;
		job->old_endpoint = 0;
		job->out[0].kind = job->out[1].kind = OUT_NONE;
	}
	b->item_count = 0;
}

/* ---- the note about a dropped packet ---- */

static void note_job(const struct batch *b, size_t i, enum drop why, const struct tunnel_conf *c,
		     struct drop_note *out)
{
	const struct job *job = &b->jobs[i];

	out->why = why;
	out->source = (uint8_t)job->source;
	out->refused = false;
	out->time = b->now.wall;
	out->tunnel = c ? c->id : 0;
	out->len = job->len;
	out->head_len = 0;
	out->peer = endpoint_pack(job->from, 0);
	out->detail[0] = out->detail[1] = 0;
}

/* Writes `len` bytes over those at `at` of the packet, as far as the head reaches. */
static void overwrite(struct drop_note *n, size_t at, const uint8_t *bytes, size_t len)
{
	if (at >= n->head_len)
		return;
	memcpy(n->head + at, bytes, len < n->head_len - at ? len : n->head_len - at);
}

/* The packet's first bytes as they were received. Until a packet is dropped, the pipeline may have
 * replaced its signature by the key (arrive.c) and its inner congestion mark; both are restored.
 * It writes everything else (hop limits, headers of what it sends) after the last decision to
 * drop. */
static void note_received(struct drop_note *n, const struct job *job, const struct work *w,
			  const struct tunnel_conf *c)
{
	note_head(n, job->data, job->len);
	overwrite(n, w->signature_at, w->signature, w->signature_len);
	if (w->remarked) {
		uint8_t first[2] = { w->inner[0], w->inner[1] };
		first[0] = (uint8_t)((first[0] & 0xf0) | w->class >> 4);
		first[1] = (uint8_t)((first[1] & 0x0f) | w->class << 4);
		overwrite(n, (size_t)(w->inner - job->data), first, sizeof(first));
	}
	if (!c)
		return;
	/* A faulty client may send the key itself. */
	size_t at = job->source == JOB_FROM_AYIYA       ? AYIYA_AT_SIGNATURE
		    : job->source == JOB_FROM_HEARTBEAT ? w->beat.signed_len
							: DROP_HEAD;
	if (at < n->head_len)
		tunnel_hide_key(c, n->head + at, n->head_len - at);
}

static void count_drop(struct batch *b, const struct tunnel *t, const struct drop_note *n)
{
	counters_drop(b->counters, t ? t->slot : UINT32_MAX, n);
}

void batch_drop(struct batch *b, size_t i, enum drop why, const struct tunnel *t,
		const struct tunnel_conf *c)
{
	struct job *job = &b->jobs[i];
	struct drop_subject s = { job, &b->work[i], t, c, b->pop, b->now };
	struct drop_note note;

	job->drop = why;
	job->charged = t;
	job->charged_conf = c;
	note_job(b, i, why, c, &note);
	drop_detail_take(why, &s, note.detail);
	/* the key to hide is that of the tunnel that it names, whoever the drop is counted for */
	note_received(&note, job, &b->work[i], c ? c : job->conf);
	count_drop(b, t, &note);
}

static void drop_unsigned(struct batch *b, const struct auth_item *item, size_t i)
{
	struct job *job = &b->jobs[i];
	struct drop_note note;

	for (size_t o = 0; o < ARRAY_LEN(job->out); o++)
		if (job->out[o].kind == OUT_UDP && job->out[o].data == item->data)
			job->out[o].kind = OUT_NONE;
	job->drop = DROP_INTERNAL;
	job->charged = job->tunnel;
	job->charged_conf = job->conf;
	/* without the first bytes, which are no longer those that were received */
	note_job(b, i, DROP_INTERNAL, job->conf, &note);
	count_drop(b, job->tunnel, &note);
}

void batch_drop_unsigned(struct batch *b)
{
	for (size_t k = 0; k < b->item_count; k++)
		if (!b->items[k].done)
			drop_unsigned(b, &b->items[k], b->item_job[k]);
}
