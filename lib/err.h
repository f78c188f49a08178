/*
 * The control path's result type: int, 0 or a negative enum err. The data path uses enum drop
 * (popd/core/drop.h) and yes/no questions use bool; the three never mix.
 */
#ifndef LIB_ERR_H
#define LIB_ERR_H

#include "lib/cc.h"

enum err {
	ERR_NONE = 0,
	ERR_NOMEM,     /* no memory, or a fixed table is full */
	ERR_SYS,       /* a system call failed; errno says why */
	ERR_FORMAT,    /* the text or the bytes are not of the form they should have */
	ERR_RANGE,     /* well formed, but outside the range that is allowed */
	ERR_TRUNCATED, /* the input ended too early */
	ERR_TRAILING,  /* bytes are left after the end */
	ERR_NO_ROOM,   /* the output buffer is too small */
	ERR_UNKNOWN,   /* a name nobody knows */
	ERR_EXISTS,    /* it is there already */
	ERR_NOT_FOUND, /* it is not there */
	ERR_REFUSED,   /* a rule says no; the sentence that came with it says which */
	ERR_AUTH,      /* identity or secret is wrong */
	ERR_TIMEOUT,   /* no answer in time */
	ERR_AWAY,      /* the other side (database, peer) cannot be reached now */
	ERR_CLOSED,    /* the other side closed */
	ERR_BUSY,      /* too much is under way; try again */
	ERR__COUNT
};

/* A short English text for an error, without the errno text. `err` is 0 or -enum err; anything else
 * gives "unknown error". */
const char *err_text(int err);

#endif
