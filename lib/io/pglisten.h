/* One connection that only LISTENs: kept open, opened anew with back-off, asked for a sign of life
 * when it is silent. */
#ifndef LIB_IO_PGLISTEN_H
#define LIB_IO_PGLISTEN_H

#include <stdbool.h>

#include "lib/cc.h"

struct ev_loop;
struct pginfo;
struct pglisten;

struct pglisten_conf {
	struct pginfo *info; /* borrowed */
	const char *channel;
	double connect_timeout;
	/* Each (re)connect calls `notify` with ""; `heard` tells of every good or bad sign of the
	 * server. */
	void (*notify)(void *ctx, const char *payload);
	void (*heard)(void *ctx, bool good, const char *why);
	void *ctx;
};

/* Begins to connect at the loop's next pass. NULL: no memory. */
struct pglisten *pglisten_create(struct ev_loop *loop, const struct pglisten_conf *conf) NONNULL;
void pglisten_free(struct pglisten *listen); /* NULL is fine */

#endif
