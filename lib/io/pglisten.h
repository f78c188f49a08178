/* One connection that only LISTENs: kept open, opened again with growing pauses, and checked when
 * it is silent. */
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
	/* Called for each notification, and with "" after each (re)connect. */
	void (*notify)(void *ctx, const char *payload);
	/* Called when the connection was made, or lost with the reason in `why`. */
	void (*changed)(void *ctx, bool is_up, const char *why);
	void *ctx;
};

/* Begins to connect at the loop's next pass, and never gives up. NULL: no memory. */
struct pglisten *pglisten_create(struct ev_loop *loop, const struct pglisten_conf *conf) NONNULL;
void pglisten_free(struct pglisten *listen); /* NULL is fine */

#endif
