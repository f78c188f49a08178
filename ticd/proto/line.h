/*
 * Lines out of a byte stream, as TIC clients send them: ended by LF or CRLF, at most LINE_TEXT_MAX
 * bytes, ASCII text. The buffer is fixed: while it is full the caller reads nothing more. Pure.
 */
#ifndef TICD_PROTO_LINE_H
#define TICD_PROTO_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

enum {
	LINE_TEXT_MAX = 1024,            /* without the line end */
	LINE_BUFFER = LINE_TEXT_MAX + 2, /* and with the longest one */
};

enum line_result {
	LINE_NONE,     /* no whole line yet */
	LINE_TEXT,     /* a line, which may be empty */
	LINE_TOO_LONG, /* no line end within LINE_TEXT_MAX bytes; no line can follow */
	LINE_BINARY,   /* a control character other than a tab; no line can follow */
};

struct line_in {
	uint16_t start;   /* first byte not yet taken */
	uint16_t scanned; /* bytes before this one hold no line end and no control character */
	uint16_t len;     /* bytes in the buffer */
	char buf[LINE_BUFFER];
};

void line_init(struct line_in *in) NONNULL;

/* Where the next bytes go; *space: how many fit, 0 when the buffer is full. The last line taken is
 * no longer valid. */
char *line_space(struct line_in *in, size_t *space) NONNULL;
/* `n` bytes, at most *space, were written there. */
void line_received(struct line_in *in, size_t n) NONNULL;

/* Takes the next line: its text without its end, a view that is valid until line_space. A byte that
 * is not ASCII reads as '?'. */
enum line_result line_next(struct line_in *in, const char **text, size_t *len) NONNULL;

/* No byte waits to be taken. */
static inline bool line_is_empty(const struct line_in *in)
{
	return in->start == in->len;
}
/* No further byte fits. */
static inline bool line_is_full(const struct line_in *in)
{
	return in->len - in->start >= LINE_BUFFER;
}

#endif
