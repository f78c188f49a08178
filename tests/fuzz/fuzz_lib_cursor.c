/*
 * The cursors. The input is a program: how many bytes there are to read and how much room to write,
 * then operations. Beside each cursor goes a model that counts; whatever was done, they agree, a
 * failed cursor stays failed, and nothing is touched beyond the ends. What was written reads back.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/rd.h"
#include "lib/wr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* The next `n` bytes as a big-endian number. */
static uint64_t expected(const uint8_t *at, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | at[i];
	return v;
}

static void read_number(struct rd *r, size_t n)
{
	const uint8_t *at = r->pos;
	bool fits = rd_left(r) >= n;
	uint64_t want = fits ? expected(at, n) : 0, got = n == 1   ? rd_u8(r)
							  : n == 2 ? rd_u16(r)
							  : n == 4 ? rd_u32(r)
								   : rd_u64(r);

	require(got == want && rd_ok(r) == fits && (!fits || r->pos == at + n));
}

static void read_one(struct rd *r, uint8_t op, uint8_t arg)
{
	uint8_t copy[256];
	size_t left = rd_left(r), len;
	bool was_ok = rd_ok(r), fits = was_ok && left >= arg;
	const uint8_t *at = r->pos;

	switch (op % 8) {
	case 0:
	case 1:
	case 2:
	case 3:
		read_number(r, (size_t)1 << op % 8 % 4);
		return;
	case 4:
		require((rd_bytes(r, arg) == at) == fits && rd_ok(r) == fits);
		break;
	case 5:
		memset(copy, 0xa5, sizeof(copy));
		rd_copy(r, copy, arg);
		for (size_t i = 0; i < arg; i++)
			require(copy[i] == (fits ? at[i] : 0));
		require(copy[arg < 255 ? arg : 0] == 0xa5 || arg == 255 || arg == 0 ||
			copy[arg] == 0xa5);
		break;
	case 6: {
		struct rd sub = rd_sub(r, arg);
		require(rd_ok(&sub) == fits && rd_left(&sub) == (fits ? arg : 0) &&
			rd_ok(r) == fits);
		rd_skip(&sub, arg);
		require(rd_end(&sub) == fits);
		break;
	}
	case 7: {
		const char *token = rd_token(r, &len);
		require((token != NULL) == (len > 0) && rd_ok(r) == was_ok);
		require(!token ||
			((const uint8_t *)token >= at && (const uint8_t *)token + len == r->pos));
		return;
	}
	}
	require(rd_left(r) == (fits ? left - arg : 0));
}

static void write_one(struct wr *w, uint8_t op, uint8_t arg)
{
	static const uint8_t bytes[256] = { 1, 2, 3 };
	size_t len = wr_len(w), room = wr_room(w), n = (size_t)1 << op % 4;
	uint64_t v = (uint64_t)arg << (op >> 3) % 57;
	bool was_ok = wr_ok(w);
	uint8_t *kept;

	switch (op % 8) {
	case 0:
		wr_u8(w, v);
		break;
	case 1:
		wr_u16(w, v);
		break;
	case 2:
		wr_u32(w, v);
		break;
	case 3:
		wr_u64(w, v);
		break;
	case 4:
		wr_bytes(w, bytes, n = arg);
		break;
	case 5:
		wr_zeros(w, n = arg);
		break;
	case 6:
		kept = wr_reserve(w, n = arg);
		require((kept != NULL) == (was_ok && room >= n));
		break;
	case 7:
		n = 3 + (size_t)(arg > 9) + (arg > 99);
		wr_fmt(w, "<%u>", arg);
		break;
	}
	bool fits = was_ok && room >= n && (op % 8 >= 3 || v >> 8 * n == 0);
	require(wr_ok(w) == fits && wr_len(w) == (fits ? len + n : len) &&
		wr_room(w) == (fits ? room - n : 0));
	if (fits && op % 8 < 4)
		require(expected(w->base + len, n) == v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t space[256];

	if (size < 2)
		return 0;
	size_t there = data[0] % (size - 1), room = data[1];
	/* At the end of our block, so that a sanitizer sees an access beyond it. */
	struct rd r = rd_init(data + size - there, there);
	struct wr w = wr_init(space + sizeof(space) - room, room);
	for (size_t i = 2; i + 1 < size; i += 2) {
		read_one(&r, data[i], data[i + 1]);
		write_one(&w, data[i], data[i + 1]);
	}
	size_t len = wr_len(&w);
	bool was_ok = wr_ok(&w);
	const char *text = wr_cstr(&w);
	require((text != NULL) == (was_ok && len < room) && (!text || text[len] == '\0'));
	return 0;
}
