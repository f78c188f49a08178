/*
 * Arguments by table: a command's parameters, in the order its SQL takes them, are the rows; the
 * command line becomes one text value (or none) a row, checked and spelled as the database reads
 * it. What is checked here is the form of a value; whether it may be is the database's to say.
 * Pure.
 */
#ifndef TICD_CTL_ARGS_H
#define TICD_CTL_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#include "ticd/ctl/fault.h"

enum arg_kind {
	ARG_TEXT,   /* any UTF-8 text but the empty one */
	ARG_VALUE,  /* any UTF-8 text, the empty one too */
	ARG_NUMBER, /* 0..2147483647 */
	ARG_AMOUNT, /* a number with or without a sign: 5, +5, -5 */
	ARG_FLOOR,  /* an amount, or "none" */
	ARG_TUNNEL, /* T7 or 7 */
	ARG_SUBNET, /* R3 or 3 */
	ARG_IP4,
	ARG_IP6,
	ARG_PREFIX6,
	ARG_DATE,   /* 2026-11-23 */
	ARG_CHOICE, /* one of the words of `meta`, which are separated by | */
	ARG_FLAG,   /* an option without a value: "true" or "false" */
	ARG_FIXED,  /* not on the command line: always `fixed` */
	/* not on the command line: a digest of the TIC secret made for this run, filled in by
	 * run.c */
	ARG_MD5,
	ARG_SHA256,
	ARG__COUNT
};

struct param {
	/* "--pop" is an option; anything else a word in its place, by the name usage calls it */
	const char *name;
	enum arg_kind kind;
	const char *meta;  /* what usage calls an option's value; for ARG_CHOICE the choices */
	bool optional;     /* without it the value is NULL */
	bool bare;         /* an option whose value may also stand in its place without the name */
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
	return p->kind == ARG_FIXED || p->kind == ARG_MD5 || p->kind == ARG_SHA256;
}

/* Reads `n_words` words of the command line against `params` (ended by a row without a name). `out`
 * borrows the words. 0, or -ERR_FORMAT with the reason in `fault`. */
int args_parse(const struct param *params, char *const *words, size_t n_words, struct args *out,
	       struct fault *fault) NONNULL_ARGS(1, 4, 5) MUSTCHECK;

#endif
