/*
 * Write cursor over a borrowed buffer, with a sticky error. A write that does not fit, or of a
 * value too large for its field, fails and writes nothing, and every later write fails too. No
 * allocation (but see wr_fmt), no I/O.
 */
#ifndef LIB_WR_H
#define LIB_WR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

struct wr {
	uint8_t *base; /* first byte of the buffer */
	uint8_t *pos;  /* next byte to write */
	uint8_t *end;  /* one past the buffer */
	bool failed;   /* sticky */
};

struct wr wr_init(void *buf, size_t size);

static inline bool wr_ok(const struct wr *w)
{
	return !w->failed;
}

/* Bytes written so far, before any failure. */
static inline size_t wr_len(const struct wr *w)
{
	return (size_t)(w->pos - w->base);
}
static inline size_t wr_room(const struct wr *w)
{
	return w->failed ? 0 : (size_t)(w->end - w->pos);
}

/* Big-endian integers; a value that needs more bits than the field fails the cursor. */
void wr_u8(struct wr *w, uint64_t v) NONNULL;
void wr_u16(struct wr *w, uint64_t v) NONNULL;
void wr_u32(struct wr *w, uint64_t v) NONNULL;
void wr_u64(struct wr *w, uint64_t v) NONNULL;
void wr_bytes(struct wr *w, const void *data, size_t len) NONNULL_ARGS(1);
void wr_zeros(struct wr *w, size_t len) NONNULL;

/* The next `len` bytes of the buffer, for the caller to write; NULL on failure. */
uint8_t *wr_reserve(struct wr *w, size_t len) NONNULL;

/* Text without a closing NUL. wr_str copies a C string, wr_fmt formats. A formatted text that fits
 * exactly leaves no byte for the NUL of vsnprintf and goes through the heap. */
void wr_str(struct wr *w, const char *s) NONNULL;
void wr_fmt(struct wr *w, const char *fmt, ...) NONNULL_ARGS(1, 2) FORMAT(2, 3);

/* Ends the text with a NUL, which wr_len does not count, and returns the start of the buffer; NULL
 * when a write failed. */
const char *wr_cstr(struct wr *w) NONNULL;

#endif
