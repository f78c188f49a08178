/* The command `import`: reads a sixxsd configuration file into the database in one statement, all of
 * it or nothing. */
#ifndef TICD_CTL_IMPORT_RUN_H
#define TICD_CTL_IMPORT_RUN_H

#include "ticd/ctl/answer.h"

struct pgctl;

/* `values`: file name ("-": standard input), handle of the owner, PoP. A command_run (commands.h).
 */
int import_run(struct pgctl *db, const char *const *values, struct rows *out, struct fault *fault)
	NONNULL MUSTCHECK;

#endif
