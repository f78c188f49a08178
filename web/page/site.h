/*
 * From a request to its answer: one table of routes, the pages behind them, and the headers every
 * answer has. Pure: the HTTP server (web/io/httpd) brings a method and a path and sends what it
 * gets.
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
	char etag[ETAG_TEXT]; /* "" without; only 200 and 304 have one */
	const void *body;
	size_t len;
	void *owned; /* the body when it is to be freed (answer_free), else NULL */
};

/* Answers any method and any path (as the client sent it, without the query). Always fills `out`:
 * at worst with a plain 500. */
void site_answer(const struct page_now *now, struct digest_ctx *digest, const char *method,
		 const char *path, struct answer *out) NONNULL;

/* Makes a 200 that the client has already (its If-None-Match header names it; NULL: it sent none) a
 * 304. The body stays, for its length is told (RFC 9110 8.6); sending a 304 or answering HEAD sends
 * none. */
void answer_condition(struct answer *answer, const char *if_none_match) NONNULL_ARGS(1);

void answer_free(struct answer *answer) NONNULL;

struct header {
	const char *name, *value;
};
enum { ANSWER_HEADERS = 20, ANSWER_HEADERS_SCRATCH = 16 };

/* All headers of an answer but Date, Content-Length and Connection, which are the server's; returns
 * how many. Values live as long as the answer and `scratch`. */
size_t answer_headers(const struct answer *answer, struct header out[static ANSWER_HEADERS],
		      char scratch[static ANSWER_HEADERS_SCRATCH]) NONNULL;

/* The style sheet's address with a version taken from its content, so that a new one is fetched at
 * once: 0, or -ERR_SYS (no digest). */
enum { STYLE_URL_TEXT = 48 };
int site_style_url(struct digest_ctx *digest, char out[static STYLE_URL_TEXT]) NONNULL MUSTCHECK;

#endif
