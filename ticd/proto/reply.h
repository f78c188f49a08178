/*
 * Replies that fit the clients' small buffers: at most REPLY_MAX bytes each, ended by LF, printable
 * ASCII whatever a value holds. A reply is built in a struct reply and sent whole. Pure.
 */
#ifndef TICD_PROTO_REPLY_H
#define TICD_PROTO_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "lib/wr.h"

enum { REPLY_MAX = 1000 }; /* bytes of one reply, its line ends included */

struct reply {
	struct wr w;
	char buf[REPLY_MAX];
};

void reply_init(struct reply *r) NONNULL;

/* Appends one line: the formatted text, in which each byte that is not printable ASCII becomes '?',
 * and LF. A text longer than a whole reply is cut to that length; a line that does not fit after
 * the others fails the reply (reply_ok). */
void reply_line(struct reply *r, const char *fmt, ...) NONNULL FORMAT(2, 3);

/* Appends "key: <prefix>value", the value cut to `max` bytes so that a whole record always fits. A
 * NULL value is empty. */
void reply_field(struct reply *r, const char *key, const char *prefix, const char *value, int max)
	NONNULL_ARGS(1, 2, 3);

/* Everything that was appended fitted. */
static inline bool reply_ok(const struct reply *r)
{
	return wr_ok(&r->w);
}
static inline size_t reply_len(const struct reply *r)
{
	return wr_len(&r->w);
}

#endif
