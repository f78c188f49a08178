/*
 * Lines out of a byte stream, as TIC clients send them: ended by LF or CRLF, at most LINE_TEXT_MAX
 * bytes, ASCII text. The buffer is fixed: what does not fit stays where it came from until a line
 * has been taken. Pure.
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
	LINE_TOO_LONG, /* no line end within LINE_TEXT_MAX bytes; nothing can be read after this */
	LINE_BINARY,   /* a control character other than a tab; nothing can be read after this */
};

struct line_in {
	uint16_t start;   /* first byte not yet taken */
	uint16_t scanned; /* bytes before this one hold no line end and no control character */
	uint16_t len;     /* bytes in the buffer */
	char buf[LINE_BUFFER];
};

void line_init(struct line_in *in) NONNULL;

/* Where the next bytes go and how many may come; 0 when the buffer is full. Ends the life of the
 * last line taken. */
char *line_room(struct line_in *in, size_t *room) NONNULL;
void line_added(struct line_in *in, size_t n) NONNULL;

/* Copies what fits of `data`; returns how much that was. */
size_t line_feed(struct line_in *in, const void *data, size_t len) NONNULL;

/* Takes the next line: its text, without its end, as a view that lives until line_room or
 * line_feed. A byte that is not ASCII reads as '?'. */
enum line_result line_next(struct line_in *in, const char **text, size_t *len) NONNULL;

/* No byte is waiting. */
static inline bool line_is_empty(const struct line_in *in)
{
	return in->start == in->len;
}

#endif
