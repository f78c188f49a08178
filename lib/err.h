/*
 * The result type of the control path: int, 0 or a negative enum err. The data path uses enum drop
 * (popd/core/drop.h), and yes or no is bool; the three never mix.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

#include "lib/cc.h"

enum err {
	ERR_NONE = 0,
	ERR_NOMEM,     /* no memory, or a fixed table is full */
	ERR_SYS,       /* a system call failed; errno says why */
	ERR_FORMAT,    /* the text or the bytes are malformed */
	ERR_RANGE,     /* well formed, but outside the allowed range */
	ERR_TRUNCATED, /* the input ended too early */
	ERR_TRAILING,  /* bytes are left after the end */
	ERR_NO_ROOM,   /* the output buffer is too small */
	ERR_UNKNOWN,   /* no such name */
	ERR_EXISTS,    /* it exists already */
	ERR_NOT_FOUND, /* it does not exist */
	ERR_REFUSED,   /* a rule forbids it; the message that came with it says which */
	ERR_TIMEOUT,   /* no answer in time */
	ERR_AWAY,      /* the other side (database, peer) cannot be reached now */
	ERR_BUSY,      /* too much is under way; try again later */
	ERR__COUNT
};

/* A short English text for an error, without the errno text. `err` is 0 or -enum err; anything else
 * gives "unknown error". */
const char *err_text(int err);

#endif
