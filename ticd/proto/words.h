/* A line as words: views into it, compared without regard to case. Pure. */
#ifndef TICD_PROTO_WORDS_H
#define TICD_PROTO_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

enum { WORDS_MAX = 8 };

struct word {
	const char *text; /* not NUL-terminated */
	size_t len;
};

struct words {
	size_t n;                  /* words in the line, those beyond WORDS_MAX counted too */
	struct word at[WORDS_MAX]; /* {"", 0} for those that are not there */
	struct word rest;          /* everything after the first word, outer blanks removed */
};

/* Cuts `line` at blanks and tabs. */
struct words words_split(const char *line, size_t len) NONNULL;

/* Is it this word, in any case? */
bool word_is(struct word w, const char *name) NONNULL;

/* A NUL-terminated copy; false, and an empty one, when it does not fit. */
bool word_copy(struct word w, char *out, size_t size) NONNULL;

#endif
