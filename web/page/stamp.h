/* Points and lengths of time as people and machines read them: RFC 3339 in, <time> elements and "3
 * h 12 min" out. UTC only. Pure. */
#ifndef WEB_PAGE_STAMP_H
#define WEB_PAGE_STAMP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"

struct html;

enum { SPAN_TEXT = 48 };

/* "2026-11-23T13:45:12Z", also with a fraction (cut off) and with an offset in place of Z. 0, or
 * -ERR_FORMAT. */
int stamp_parse(const char *text, wall_t *out) NONNULL MUSTCHECK;

/* <time datetime="2026-11-23T13:45:12Z">2026-11-23 13:45:12 UTC</time> */
void stamp_put(struct html *h, wall_t t) NONNULL;

/* The two largest units that say something: "12 seconds", "1 minute", "3 h 12 min", "2 days 5 h",
 * "45 days". Below zero counts as zero. */
const char *span_text(int64_t seconds, char out[static SPAN_TEXT]) NONNULL;

#endif
