/* Lengths of time as all programs write them. Pure. */
#ifndef LIB_SPAN_H
#define LIB_SPAN_H

#include <stdint.h>

#include "lib/cc.h"

enum { SPAN_TEXT = 48 };

/* "75 s", "12 min", "3 h 12 min", "2 days 5 h", "45 days": one or two units, the smaller left out
 * when it is zero. Below zero counts as zero. */
const char *span_text(int64_t seconds, char out[static SPAN_TEXT]) NONNULL;

#endif
