/* The command `import`: reads a sixxsd configuration file into the database in one statement, all
 * of it or nothing. */
#ifndef TICD_CTL_IMPORT_RUN_H
#define TICD_CTL_IMPORT_RUN_H

#include "ticd/ctl/answer.h"

struct pgctl;

/* A command_run (commands.h). `values`: file name ("-": standard input), owner's handle, PoP. */
int import_run(struct pgctl *db, const char *const *values, struct rows *out, struct fault *fault)
	NONNULL MUSTCHECK;

#endif
