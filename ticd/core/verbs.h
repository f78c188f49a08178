/* The commands: one table says what each is called, where it is legal, how many arguments it takes
 * and what it is for. Dispatch (ticd/core/dialogue.c) and help read the same rows. */
#ifndef TICD_CORE_VERBS_H
#define TICD_CORE_VERBS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "ticd/core/session.h"

struct verb {
	/* the first token, and the second where it belongs to the command, else NULL */
	const char *name, *object;
	unsigned states; /* bits of enum session_state */
	uint8_t min_args, max_args;
	void (*run)(struct session *s, const struct session_args *args);
	const char *usage, *help;
};

enum { VERB_ANY_ARGS = 255 };

/* The rows; those of one name are neighbours. */
const struct verb *verbs_table(size_t *n) NONNULL;

#endif
