/* popd's answers as text: one function a command. */
#ifndef POPD_CTL_SHOW_H
#define POPD_CTL_SHOW_H

#include <jansson.h>
#include <stdio.h>

#include "lib/cc.h"

struct request;

void show_status(const json_t *answer, const struct request *r, FILE *out) NONNULL;
void show_tunnel_list(const json_t *answer, const struct request *r, FILE *out) NONNULL;
void show_tunnel(const json_t *answer, const struct request *r, FILE *out) NONNULL;
void show_errors(const json_t *answer, const struct request *r, FILE *out) NONNULL;
void show_counters(const json_t *answer, const struct request *r, FILE *out) NONNULL;
void show_reasons(const json_t *answer, const struct request *r, FILE *out) NONNULL;
void show_message(const json_t *answer, const struct request *r, FILE *out) NONNULL;

#endif
