/*
 * A sequence lock. The writer makes the sequence odd, stores the words with release, and makes the
 * sequence even with release. A reader that loaded a new word (with acquire) also sees the odd
 * sequence or a later one, so its second load of the sequence differs from the first. There are no
 * fences; on x86 all are plain moves.
 */
#include "popd/core/drop_record.h"

#include <string.h>

_Static_assert(DROP__COUNT <= UINT8_MAX, "a reason is one byte of word 0");

enum { AT_WHAT, AT_WHEN, AT_PEER, AT_DETAIL, AT_HEAD = AT_DETAIL + 2 };

static void put(struct drop_record *r, size_t i, uint64_t v)
{
	atomic_store_explicit(&r->words[i], v, memory_order_release);
}

static uint64_t get(const struct drop_record *r, size_t i)
{
	return atomic_load_explicit(&r->words[i], memory_order_acquire);
}

static uint32_t begin(struct drop_record *r)
{
	uint32_t sequence = atomic_load_explicit(&r->sequence, memory_order_relaxed);

	atomic_store_explicit(&r->sequence, sequence + 1, memory_order_relaxed);
	return sequence + 2;
}

static void end(struct drop_record *r, uint32_t sequence)
{
	atomic_store_explicit(&r->sequence, sequence, memory_order_release);
}

void drop_record_write(struct drop_record *r, const struct drop_note *n)
{
	uint32_t sequence = begin(r);

	put(r, AT_WHAT,
	    (uint64_t)n->len << 32 | (uint64_t)n->head_len << 24 | (uint64_t)n->refused << 16 |
		    (uint64_t)n->source << 8 | (uint64_t)n->why);
	put(r, AT_WHEN, (uint64_t)n->tunnel << 32 | n->time);
	put(r, AT_PEER, n->peer);
	put(r, AT_DETAIL, n->detail[0]);
	put(r, AT_DETAIL + 1, n->detail[1]);
	for (size_t i = 0; i < ((size_t)n->head_len + 7) / 8; i++)
		put(r, AT_HEAD + i, n->words[i]);
	end(r, sequence);
}

void drop_record_clear(struct drop_record *r)
{
	uint32_t sequence = begin(r);

	for (size_t i = 0; i < DROP_RECORD_WORDS; i++)
		put(r, i, 0);
	end(r, sequence);
}

static void unpack(const uint64_t words[static DROP_RECORD_WORDS], struct drop_note *out)
{
	uint64_t what = words[AT_WHAT];

	memset(out, 0, sizeof(*out));
	out->why = (enum drop)(what & 0xff);
	out->source = (uint8_t)(what >> 8);
	out->refused = what >> 16 & 1;
	out->head_len = (uint8_t)(what >> 24);
	out->len = (uint32_t)(what >> 32);
	out->time = (uint32_t)words[AT_WHEN];
	out->tunnel = (uint32_t)(words[AT_WHEN] >> 32);
	out->peer = words[AT_PEER];
	out->detail[0] = words[AT_DETAIL];
	out->detail[1] = words[AT_DETAIL + 1];
	/* the bytes beyond belong to earlier packets */
	memcpy(out->head, &words[AT_HEAD], out->head_len);
}

enum drop_record_state drop_record_read(const struct drop_record *r, struct drop_note *out)
{
	uint64_t words[DROP_RECORD_WORDS];
	uint32_t sequence = atomic_load_explicit(&r->sequence, memory_order_acquire);

	if (sequence & 1)
		return DROP_RECORD_BUSY;
	for (size_t i = 0; i < DROP_RECORD_WORDS; i++)
		words[i] = get(r, i);
	if (atomic_load_explicit(&r->sequence, memory_order_relaxed) != sequence)
		return DROP_RECORD_BUSY;
	if ((words[AT_WHAT] & 0xff) == DROP_NONE)
		return DROP_RECORD_EMPTY;
	unpack(words, out);
	return DROP_RECORD_READ;
}
