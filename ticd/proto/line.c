#include "ticd/proto/line.h"

#include <string.h>

void line_init(struct line_in *in)
{
	in->start = in->scanned = in->len = 0;
}

char *line_room(struct line_in *in, size_t *room)
{
	if (in->start > 0) {
		memmove(in->buf, in->buf + in->start, (size_t)(in->len - in->start));
		in->len -= in->start;
		in->scanned -= in->start;
		in->start = 0;
	}
	*room = sizeof(in->buf) - in->len;
	return in->buf + in->len;
}

void line_added(struct line_in *in, size_t n)
{
	in->len += (uint16_t)n;
}

size_t line_feed(struct line_in *in, const void *data, size_t len)
{
	size_t room;
	char *to = line_room(in, &room);

	if (len > room)
		len = room;
	memcpy(to, data, len);
	line_added(in, len);
	return len;
}

/* Hands out [start, end) and goes on behind the LF at `lf`. */
static enum line_result take(struct line_in *in, uint16_t end, uint16_t lf, const char **text,
			     size_t *len)
{
	*text = in->buf + in->start;
	*len = (size_t)(end - in->start);
	if (*len > LINE_TEXT_MAX)
		return LINE_TOO_LONG;
	in->start = in->scanned = (uint16_t)(lf + 1);
	return LINE_TEXT;
}

/* Control characters are refused as they come, without waiting for a line end: a TLS or HTTP/2 peer
 * never sends one. */
enum line_result line_next(struct line_in *in, const char **text, size_t *len)
{
	*text = "";
	*len = 0;
	for (; in->scanned < in->len; in->scanned++) {
		uint16_t at = in->scanned;
		unsigned char c = (unsigned char)in->buf[at];

		if (c == '\n')
			return take(in, at, at, text, len);
		if (c == '\r') {
			if (at + 1 == in->len)
				break; /* the next byte decides */
			if (in->buf[at + 1] == '\n')
				return take(in, at, (uint16_t)(at + 1), text, len);
			return LINE_BINARY;
		}
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return LINE_BINARY;
		if (c > 0x7f)
			in->buf[at] = '?';
	}
	return in->len - in->start >= LINE_BUFFER ? LINE_TOO_LONG : LINE_NONE;
}
