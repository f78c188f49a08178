/* popctl tunnel trace: asks to follow packets and shows them until somebody ends it. */
#ifndef POPD_CTL_JSON_TRACE_H
#define POPD_CTL_JSON_TRACE_H

#include <stdio.h>

#include "lib/cc.h"
#include "popd/ctl/json.h"

/* Over `fd`; packets go to `out` or to the file that the request names, all else to `err`. The exit
 * status: 0 or 1. */
int popctl_trace(int fd, const struct popctl_request *request, FILE *out, FILE *err) NONNULL;

#endif
