/* The tokens of a TIC line: views into it, compared without regard to case. Pure. */
#ifndef TICD_PROTO_TOKENS_H
#define TICD_PROTO_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

enum { TOKENS_MAX = 8 };

struct token {
	const char *text; /* not NUL-terminated */
	size_t len;
};

struct tokens {
	size_t n;                    /* tokens in the line, those beyond TOKENS_MAX included */
	struct token at[TOKENS_MAX]; /* {"", 0} for those that are missing */
	struct token rest;           /* everything after the first token, outer blanks removed */
};

/* Splits `line` at blanks and tabs. */
struct tokens tokens_split(const char *line, size_t len) NONNULL;

/* True when the token is `name`, in any case. */
bool token_is(struct token t, const char *name) NONNULL;

/* A NUL-terminated copy, cut to `size` - 1 bytes; `size` is at least 1. */
void token_copy(struct token t, char *out, size_t size) NONNULL;

#endif
