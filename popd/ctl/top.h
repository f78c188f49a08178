/* popctl top: the busiest tunnels, table after table. */
#ifndef POPD_CTL_TOP_H
#define POPD_CTL_TOP_H

#include <stdio.h>

#include "lib/cc.h"

struct request;

/* Over `fd`. Ends after one table when the request says so, and when popd is gone or nobody reads
 * `out`. The exit status: 0 or 1. */
int top_run(int fd, const struct request *r, FILE *out, FILE *err) NONNULL;

#endif
