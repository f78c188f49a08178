/*
 * Arguments by table: a command's parameters, in the order of its SQL, are the rows; the command
 * line becomes one text value (or none) a row, checked and spelled as the database reads it. Only
 * the form of a value is checked here; the database decides whether it is allowed. Pure.
 */
#ifndef TICD_CTL_ARGS_H
#define TICD_CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "ticd/ctl/answer.h"

enum arg_kind {
	ARG_TEXT,   /* any UTF-8 text that is not empty */
	ARG_VALUE,  /* any UTF-8 text */
	ARG_NUMBER, /* 0..2147483647 */
	ARG_AMOUNT, /* a number with or without a sign: 5, +5, -5 */
	ARG_FLOOR,  /* an amount, or "none" */
	ARG_TUNNEL, /* T7 or 7 */
	ARG_SUBNET, /* R3 or 3 */
	ARG_IP4,
	ARG_IP6,
	ARG_PREFIX6,
	ARG_DATE,   /* 2026-11-23 */
	ARG_CHOICE, /* one of the choices in `meta`, which are separated by | */
	ARG_FLAG,   /* an option without a value: "true" or "false" */
	ARG_FIXED,  /* not on the command line: always `fixed` */
	/* not on the command line: run.c sets them to the digests of a new TIC secret */
	ARG_MD5,
	ARG_SHA256,
	/* not on the command line: run.c sets it to the SCRAM verifier of a new password, unless the
	 * flag before it is given */
	ARG_VERIFIER,
	ARG__COUNT
};

struct param {
	/* "--pop": an option; anything else: a positional argument, as usage calls it */
	const char *name;
	enum arg_kind kind;
	const char *meta;  /* an option's value as usage calls it; for ARG_CHOICE the choices */
	bool optional;     /* without it the value is NULL */
	bool bare;         /* an option whose value may also be positional */
	const char *fixed; /* ARG_FIXED only */
};

enum { PARAMS_MAX = 16, ARG_SPELLED = 64 };

struct args {
	size_t n;                      /* parameters of the command */
	const char *value[PARAMS_MAX]; /* points into the command line, `spelled` or the table */
	char spelled[PARAMS_MAX][ARG_SPELLED];
};

static inline bool param_is_option(const struct param *p)
{
	return p->name[0] == '-';
}
static inline bool param_is_hidden(const struct param *p)
{
	return p->kind == ARG_FIXED || p->kind == ARG_MD5 || p->kind == ARG_SHA256 ||
	       p->kind == ARG_VERIFIER;
}

/* Reads `argc` arguments of the command line by `params` (ended by a row without a name). `out`
 * borrows them. 0, or -ERR_FORMAT with the reason in `fault`. */
int args_parse(const struct param *params, char *const *argv, size_t argc, struct args *out,
	       struct fault *fault) NONNULL_ARGS(1, 4, 5) MUSTCHECK;

#endif
