/* Running one command: connect, make a secret where one is needed, ask the door, print the answer.
 */
#ifndef TICD_CTL_RUN_H
#define TICD_CTL_RUN_H

#include <stdbool.h>
#include <stdio.h>

#include "ticd/ctl/commands.h"

/* `args` are the command's own. Prints to `out` only when everything went well. 0, or -enum err
 * with the reason in `fault`. */
int run_command(const struct command *command, struct args *args, const char *conninfo,
		bool is_json, FILE *out, struct fault *fault) NONNULL MUSTCHECK;

#endif
