/*
 * The command `migrate`: one transaction under an advisory lock, so that any number of them at once
 * do the work once, and a failure leaves the database as it was.
 */
#ifndef TICD_CTL_MIGRATE_H
#define TICD_CTL_MIGRATE_H

#include "ticd/ctl/fault.h"
#include "ticd/ctl/rows.h"

struct pgctl;

/* A command_run (commands.h) without parameters. The row: message, schema (number), applied (how
 * many migrations), api (re-created?). */
int migrate_run(struct pgctl *db, const char *const *values, struct rows *out, struct fault *fault)
	NONNULL_ARGS(1, 3, 4) MUSTCHECK;

#endif
