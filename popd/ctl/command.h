/*
 * popctl's command line: one table of commands and one of options, from which the usage, the checks
 * and the dispatch all come.
 */
#ifndef POPD_CTL_COMMAND_H
#define POPD_CTL_COMMAND_H

#include "lib/cc.h"
#include "popd/ctl/request.h"

/* NULL: there is none of this name. */
const struct command *command_find(const char *name) NONNULL;

/* 0: `r` is filled. -1: help or version were printed. 2: after a sentence on stderr. */
int command_parse(int argc, char **argv, struct request *r) NONNULL MUSTCHECK;

#endif
