/*
 * The daily ISK job: calls api.isk_daily with today's date in UTC soon after the start and then
 * every hour, and logs its bookings; then api.prune, whether or not the job failed. The database
 * does each day once, so any number of ticds may run the job.
 */
#ifndef TICD_IO_DAILY_H
#define TICD_IO_DAILY_H

#include <stdbool.h>

#include "lib/cc.h"

struct daily;
struct ev_loop;

/* `conninfo` is copied. NULL: out of memory. */
struct daily *daily_create(struct ev_loop *loop, const char *conninfo) NONNULL;
void daily_free(struct daily *daily); /* NULL is fine */

void daily_enable(struct daily *daily, bool on) NONNULL;

#endif
