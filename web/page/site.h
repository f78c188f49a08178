/*
 * The answer to a request: one table of routes, the pages behind them, the files of web/static, and
 * the headers of every answer. The HTTP server (web/io/httpd) brings a method and a path, and sends
 * the answer. Pure.
 */
#ifndef WEB_PAGE_SITE_H
#define WEB_PAGE_SITE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "web/page/etag.h"
#include "web/page/view.h"

struct digest_ctx;

struct answer {
	unsigned status;
	const char *type;     /* Content-Type */
	const char *cache;    /* Cache-Control */
	const char *allow;    /* with 405 */
	const char *location; /* with 308 */
	unsigned retry_after; /* seconds, with 503 */
	char etag[ETAG_TEXT]; /* with 200 and 304, else "" */
	const void *body;
	size_t len;
	void *owned; /* the body, when answer_free is to free it, else NULL */
};

/* Answers any method and any path (as the client sent it, without the query). Always fills `out`:
 * at worst with a plain 500. */
void site_answer(const struct page_now *now, struct digest_ctx *digest, const char *method,
		 const char *path, struct answer *out) NONNULL;

/* Turns a 200 into a 304 when the client's If-None-Match header (NULL: none) names it. The body
 * stays, since its length is sent (RFC 9110 8.6) though a 304 or the answer to HEAD has none. */
void answer_condition(struct answer *answer, const char *if_none_match) NONNULL_ARGS(1);

void answer_free(struct answer *answer) NONNULL;

struct header {
	const char *name, *value;
};
enum { ANSWER_HEADERS = 20, ANSWER_HEADERS_SCRATCH = 16 };

/* All headers of an answer but Date, Content-Length and Connection, which the server adds; returns
 * how many. Values live as long as the answer and `scratch`. */
size_t answer_headers(const struct answer *answer, struct header out[static ANSWER_HEADERS],
		      char scratch[static ANSWER_HEADERS_SCRATCH]) NONNULL;

/* The style sheet's address, with a version made from its content so that browsers fetch a new one
 * at once. 0 or -ERR_SYS (no digest). */
enum { STYLE_URL_TEXT = 48 };
int site_style_url(struct digest_ctx *digest, char out[static STYLE_URL_TEXT]) NONNULL MUSTCHECK;

#endif
