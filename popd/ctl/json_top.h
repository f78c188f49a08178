/* popctl top: the busiest tunnels, again and again. */
#ifndef POPD_CTL_JSON_TOP_H
#define POPD_CTL_JSON_TOP_H

#include <jansson.h>
#include <stdio.h>

#include "lib/cc.h"
#include "popd/ctl/json.h"

/* popctl_run's part for "top". Ends by itself only when the request says once, popd is gone, or
 * nobody reads `out`. */
int popctl_top(int fd, const struct popctl_request *request, FILE *out, FILE *err) NONNULL;

/* The answer to one request, or NULL after a sentence to `err` (in popctl_json.c). */
json_t *popctl_ask(int fd, const json_t *request, FILE *err) NONNULL;

#endif
