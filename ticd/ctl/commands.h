/*
 * Every command of ticctl as a row of one table: its name, its parameters, the function of the
 * database behind it and its help. Dispatch, usage and help read the same rows, so they cannot
 * disagree.
 */
#ifndef TICD_CTL_COMMANDS_H
#define TICD_CTL_COMMANDS_H

#include <stddef.h>
#include <stdio.h>

#include "ticd/ctl/answer.h"
#include "ticd/ctl/args.h"

struct pgctl;

enum shape {
	SHAPE_MESSAGE, /* one row whose first column says what was done */
	SHAPE_LIST,
	SHAPE_RECORD, /* one row, a line a column */
	SHAPE_LINES,  /* the lines of a file, the first column each */
};

/* A command that is more than one statement. `values` are the parameters in order; rows as
 * pgctl_query gives them. */
typedef int command_run(struct pgctl *db, const char *const *values, struct rows *out,
			struct fault *fault);

struct command {
	const char *name;                /* one or two words: "pop add" */
	struct param params[PARAMS_MAX]; /* ended by a row without a name; $1, $2 ... of `sql` */
	const char *sql;                 /* or */
	command_run *run;
	enum shape shape;
	const char *help;  /* what it does, a sentence without a full stop */
	const char *empty; /* SHAPE_LIST: printed when there are no rows */
};

extern const struct command commands[]; /* ends with a row without a name */

/* The command that the arguments begin with; *used: how many of them are its name. NULL when there
 * is none. */
const struct command *commands_find(char *const *args, size_t n, size_t *used) NONNULL_ARGS(3);

/* "usage: ticctl pop list" for one command. */
void commands_usage(FILE *out, const struct command *command) NONNULL;

/* Usage and help of all commands whose names begin with `args`; returns how many there are. */
size_t commands_help(FILE *out, char *const *args, size_t n) NONNULL_ARGS(1);

#endif
