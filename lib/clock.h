/* Two clocks with types of their own: monotonic for timers, wall clock for protocol timestamps.
 * Other modules take the time as an argument. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

typedef struct {
	int64_t ms; /* milliseconds of CLOCK_MONOTONIC */
} mono_t;

typedef struct {
	int64_t s; /* seconds since the epoch, CLOCK_REALTIME */
} wall_t;

typedef struct {
	int64_t us; /* microseconds of CLOCK_MONOTONIC */
} mono_us_t;

mono_t mono_now(void);
mono_us_t mono_us_now(void);
wall_t wall_now(void);
/* wall_now() for tables that keep 32 bits of it (until 2106). */
uint32_t wall_seconds(void);

/* Milliseconds. */
static inline int64_t mono_since(mono_t now, mono_t then)
{
	return now.ms - then.ms;
}

enum { CLOCK_TEXT = 32 };
/* RFC 3339 in UTC: 2026-11-23T13:45:12Z. */
const char *wall_text(wall_t t, char out[static CLOCK_TEXT]) NONNULL;

#endif
