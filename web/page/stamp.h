/* Times in UTC: RFC 3339 in, <time> elements for people and machines out. Pure. */
#ifndef WEB_PAGE_STAMP_H
#define WEB_PAGE_STAMP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"

struct html;

/* "2026-11-23T13:45:12Z", also with a fraction, which is cut off, and with an offset in place of Z.
 * 0, or -ERR_FORMAT. */
int stamp_parse(const char *text, wall_t *out) NONNULL MUSTCHECK;

/* <time datetime="2026-11-23T13:45:12Z">2026-11-23 13:45:12 UTC</time> */
void stamp_put(struct html *h, wall_t t) NONNULL;

#endif
