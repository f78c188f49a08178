/*
 * Snapshots and journals written by an attacker. The first byte chooses which of the two, and
 * whether length and checksum are corrected first, so that the code behind them is reached. A
 * refused snapshot leaves the table empty; an accepted one is encoded and decoded again to the same
 * bytes. The tables' memory comes from the heap here, whose bounds a sanitizer knows, and which is
 * ten times faster than new pages.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/pages.h"
#include "lib/wire/be.h"
#include "popd/feed/snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAPACITY = 32, JOURNAL = 1, REPAIR = 2 };

static struct digest_ctx *digest_ctx;

/* Instead of lib/pages.c. */
void *pages_alloc(size_t count, size_t size)
{
	size_t bytes = (count * size + 63) & ~(size_t)63;
	void *p = aligned_alloc(64, bytes);

	if (!p)
		abort();
	return memset(p, 0, bytes);
}

void pages_free(void *p, size_t count, size_t size)
{
	(void)count;
	(void)size;
	free(p);
}

static struct table *new_table(void)
{
	static const uint8_t seed[16] = { 3 };
	struct table *t = table_create(CAPACITY, 1, seed);

	if (!t)
		abort();
	return t;
}

static const struct moment now = { 1795423260, { 1795423260 } };

static void encode_and_decode_again(struct table *t, const struct snapshot_head *head)
{
	struct table *again = new_table();
	struct snapshot_head got;
	uint8_t *one, *two;
	size_t one_len, two_len;

	if (snapshot_encode(t, head, now, &one, &one_len) != 0 ||
	    snapshot_decode(again, digest_ctx, one, one_len, now, &got) != 0 ||
	    snapshot_encode(again, &got, now, &two, &two_len) != 0 || one_len != two_len ||
	    memcmp(one, two, one_len) != 0)
		abort();
	snapshot_free(one, one_len);
	snapshot_free(two, two_len);
	table_free(again);
}

static void snapshot(uint8_t *bytes, size_t size, bool repair)
{
	struct table *t = new_table();
	struct snapshot_head head;

	if (repair && size >= 24) {
		be64_store(bytes + 12, size);
		be32_store(bytes + size - 4, crc32c(bytes, size - 4));
	}
	if (snapshot_decode(t, digest_ctx, bytes, size, now, &head) == 0)
		encode_and_decode_again(t, &head);
	else if (table_count(t) != 0)
		abort();
	table_free(t);
}

static void journal(uint8_t *bytes, size_t size, bool repair)
{
	struct table *t = new_table();

	for (uint32_t id = 1; id <= 3; id++) {
		struct tunnel_conf *c = tunnel_conf_create(0);
		if (!c)
			abort();
		c->id = id;
		c->type = (uint8_t)(id - 1);
		c->net.b[7] = (uint8_t)id;
		if (table_set(t, c) != 0)
			abort();
	}
	for (size_t at = 0; repair && at + JOURNAL_RECORD <= size; at += JOURNAL_RECORD)
		be32_store(bytes + at + JOURNAL_RECORD - 4, crc32c(bytes + at, JOURNAL_RECORD - 4));
	if (journal_apply(t, bytes, size, now) > size)
		abort();
	for (uint32_t id = 1; id <= 3; id++) {
		uint64_t endpoint = atomic_load(&table_by_id(t, id)->endpoint);
		if (endpoint != 0 &&
		    !tunnel_accepts_endpoint(atomic_load(&table_by_id(t, id)->conf), endpoint))
			abort();
	}
	table_free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!digest_ctx && (digest_init() != 0 || !(digest_ctx = digest_ctx_create())))
		abort();
	if (size == 0)
		return 0;
	uint8_t *copy = malloc(size > 1 ? size - 1 : 1);
	if (!copy)
		abort();
	memcpy(copy, data + 1, size - 1);
	if (data[0] & JOURNAL)
		journal(copy, size - 1, data[0] & REPAIR);
	else
		snapshot(copy, size - 1, data[0] & REPAIR);
	free(copy);
	return 0;
}
