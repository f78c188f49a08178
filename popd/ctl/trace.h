/* popctl tunnel trace: asks popd to send packets and prints them until somebody ends it. */
#ifndef POPD_CTL_TRACE_H
#define POPD_CTL_TRACE_H

#include <stdio.h>

#include "lib/cc.h"

struct request;

/* Over `fd`. Packets go to `out` or to the file that the request names, all else to `err`. The exit
 * status: 0 or 1. */
int trace_run(int fd, const struct request *r, FILE *out, FILE *err) NONNULL;

#endif
