/* One request to popd and its answer. */
#ifndef POPD_CTL_ASK_H
#define POPD_CTL_ASK_H

#include <jansson.h>
#include <stdio.h>

#include "lib/cc.h"

struct request;

/* Sends `request` over `fd`: the answer, an object; or NULL after a sentence to `err`. */
json_t *ask(int fd, const json_t *request, FILE *err) NONNULL;

/* The same, takes `request`, and prints the answer to `out` as JSON or as the command of `r` shows
 * it. The exit status: 0 or 1. */
int ask_and_show(int fd, json_t *request, const struct request *r, FILE *out, FILE *err) NONNULL;

/* tunnel list: asks for all pages and prints them as one answer. */
int ask_list(int fd, const struct request *r, FILE *out, FILE *err) NONNULL;

#endif
