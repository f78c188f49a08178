#include "ticd/proto/line.h"

#include <string.h>

void line_init(struct line_in *in)
{
	in->start = in->scanned = in->len = 0;
}

char *line_space(struct line_in *in, size_t *space)
{
	if (in->start > 0) {
		memmove(in->buf, in->buf + in->start, (size_t)(in->len - in->start));
		in->len -= in->start;
		in->scanned -= in->start;
		in->start = 0;
	}
	*space = sizeof(in->buf) - in->len;
	return in->buf + in->len;
}

void line_received(struct line_in *in, size_t n)
{
	in->len += (uint16_t)n;
}

/* Gives [start, end) out as a line; the next one begins after the LF at `lf`. */
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

/* Control characters are refused at once, without waiting for a line end: a TLS or HTTP/2 peer
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
	return line_is_full(in) ? LINE_TOO_LONG : LINE_NONE;
}
