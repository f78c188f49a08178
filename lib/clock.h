/* Two clocks with types of their own: monotonic for timers and for how long ago something was, wall
 * clock for protocol timestamps. Other modules take the time as an argument. */
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

/* Seconds of CLOCK_MONOTONIC, and MONO_S_BOOT: so that 0 can mean never, and the times before the
 * machine started, which a file remembers, have a number too. */
typedef struct {
	uint32_t s;
} mono_s_t;
enum { MONO_S_BOOT = 1 << 30 };

mono_t mono_now(void);
mono_us_t mono_us_now(void);
mono_s_t mono_seconds(void);
static inline mono_s_t mono_seconds_of(mono_us_t t)
{
	return (mono_s_t){ (uint32_t)(t.us / 1000000) + MONO_S_BOOT };
}
wall_t wall_now(void);
/* wall_now() for tables that keep 32 bits of it (until 2106). */
uint32_t wall_seconds(void);

/* Milliseconds. */
static inline int64_t mono_since(mono_t now, mono_t then)
{
	return now.ms - then.ms;
}

/* Both clocks at one moment, by which a time of one of them is told by the other. */
struct moment {
	uint32_t wall; /* seconds */
	mono_s_t mono;
};
struct moment moment_now(void);
/* Never (0) stays never. A time before 1970 is second 1 of it. */
uint32_t moment_wall(struct moment now, mono_s_t then);
/* The same the other way. What the wall clock calls the future was now: the clock was set back. */
mono_s_t moment_mono(struct moment now, uint32_t then);

enum { CLOCK_TEXT = 32 };
/* RFC 3339 in UTC: 2026-11-23T13:45:12Z. */
const char *wall_text(wall_t t, char out[static CLOCK_TEXT]) NONNULL;

#endif
