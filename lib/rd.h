/*
 * Read cursor over borrowed bytes, with a sticky error: read ten fields in a row, ask rd_ok() once.
 * A read that fails yields zero (or an empty view) and does not move the cursor, and every later
 * read fails too. No allocation, no I/O.
 */
#ifndef LIB_RD_H
#define LIB_RD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

struct rd {
	const uint8_t *pos; /* next byte to read */
	const uint8_t *end; /* one past the last byte */
	bool failed;        /* sticky */
};

/* A cursor over `len` bytes at `data`, which outlive it. `data` may be NULL when `len` is 0. */
struct rd rd_init(const void *data, size_t len);

/* True while no read has failed. */
static inline bool rd_ok(const struct rd *r)
{
	return !r->failed;
}

/* True when no read has failed and no bytes are left. */
static inline bool rd_end(const struct rd *r)
{
	return !r->failed && r->pos == r->end;
}

/* Bytes left; 0 after a failure. */
static inline size_t rd_left(const struct rd *r)
{
	return r->failed ? 0 : (size_t)(r->end - r->pos);
}

/* Big-endian integers (RFC 791 appendix B). */
uint8_t rd_u8(struct rd *r) NONNULL;
uint16_t rd_u16(struct rd *r) NONNULL;
uint32_t rd_u32(struct rd *r) NONNULL;
uint64_t rd_u64(struct rd *r) NONNULL;

/* A borrowed view of the next `len` bytes, or NULL on failure (also for len 0 after one). */
const uint8_t *rd_bytes(struct rd *r, size_t len) NONNULL;

/* Copies the next `len` bytes to `out`; fills `out` with zeros on failure. */
void rd_copy(struct rd *r, void *out, size_t len) NONNULL;

void rd_skip(struct rd *r, size_t len) NONNULL;

/* A cursor over the next `len` bytes, which this one skips. With fewer bytes left both cursors are
 * failed. */
struct rd rd_sub(struct rd *r, size_t len) NONNULL;

/* The next token of a line: skips blanks (space or tab), then takes the bytes up to a blank or the
 * end. NULL, with *len 0, when there is none, which is not a failure. Not NUL-terminated. */
const char *rd_token(struct rd *r, size_t *len) NONNULL;

#endif
