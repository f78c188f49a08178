/* The commands: one table says what each is called, where it is legal, how many words it takes and
 * what it is for; dispatch and help walk it. */
#ifndef TICD_CORE_VERBS_H
#define TICD_CORE_VERBS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "ticd/core/session.h"

struct verb {
	/* the first word, and the second where it belongs to the command; else NULL */
	const char *name, *object;
	unsigned states; /* bits of enum session_state */
	uint8_t min_args, max_args;
	void (*run)(struct session *s, const struct session_args *args);
	const char *usage, *help;
};

enum { VERB_ANY_ARGS = 255 };

/* The rows, for the tests. */
const struct verb *verbs_table(size_t *n) NONNULL;

/* Runs one line: finds its row, checks state and words, calls the handler; says what is wrong
 * otherwise. */
void verbs_dispatch(struct session *s, const char *line, size_t len, wall_t now) NONNULL;

#endif
