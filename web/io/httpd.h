/*
 * The HTTP server: libmicrohttpd (named in httpd.c only) on the caller's libev loop, one thread.
 * Takes requests, asks the caller for each answer and sends it. It limits connections in all and
 * per address (IPv6 by /64, /56 and /48; behind a front by what it says of its client), the bytes of a request's headers, and the time of each request and each answer, so
 * that a slow client costs one connection for a while and nothing else.
 */
#ifndef WEB_IO_HTTPD_H
#define WEB_IO_HTTPD_H

#include "lib/cc.h"

struct answer;
struct ev_loop;
struct httpd;
struct settings;

/* Fills in the answer, which the server frees with answer_free. `path` is as the client sent it,
 * without the query. */
typedef void httpd_answer(void *ctx, const char *method, const char *path, struct answer *out);

/* Listens as the [webd] and [limits] settings say, which need not outlive the call. NULL: the log
 * says why. */
struct httpd *httpd_create(struct ev_loop *loop, const struct settings *settings,
			   httpd_answer *answer, void *ctx) NONNULL_ARGS(1, 2, 3) MUSTCHECK;

/* Closes every connection. NULL is fine. */
void httpd_free(struct httpd *h);

/* Takes the limits that can change while it runs. */
void httpd_reload(struct httpd *h, const struct settings *settings) NONNULL;

#endif
