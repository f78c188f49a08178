/*
 * HTML into a buffer that grows up to a limit, with a sticky error: html_take tells whether the
 * whole page was written. Two kinds of text never mix: markup, which is ours and a literal, and
 * text, which comes from anywhere and is always escaped. Pure but for memory.
 */
#ifndef WEB_PAGE_HTML_H
#define WEB_PAGE_HTML_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

struct html {
	char *data;
	size_t len, cap;
	size_t max;  /* never grows beyond this many bytes */
	bool failed; /* sticky: no memory, beyond max, or a conversion html_put does not know */
};

struct html html_init(size_t max);
void html_free(struct html *h) NONNULL;

/* The bytes, which the caller frees; `h` is empty afterwards. NULL, with *len 0, when anything
 * failed. */
char *html_take(struct html *h, size_t *len) NONNULL MUSTCHECK;

/* Text for inside an element or a quoted attribute: & < > " ' are escaped, and what HTML forbids is
 * replaced. */
void html_text(struct html *h, const char *text) NONNULL;

/* Markup with text in it. `markup` is a literal and is written as it is, except for %s (a C string,
 * escaped as html_text does; NULL writes nothing), %d %ld %lld and %u %lu %llu %zu (numbers) and
 * %%. */
void html_put(struct html *h, const char *markup, ...) NONNULL_ARGS(1, 2) FORMAT(2, 3);

#endif
