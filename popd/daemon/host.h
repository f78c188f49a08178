/*
 * The host under a running popd. What popd set up is put back when others undo it; what is not its
 * own and wrong is a reason why this PoP cannot carry packets (observe/fitness.h), logged, shown and
 * reported. Netlink tells of most changes at once; everything is looked at each second as well,
 * except the routes, of which there may be very many: those each minute. Control thread.
 */
#ifndef POPD_DAEMON_HOST_H
#define POPD_DAEMON_HOST_H

#include <stdint.h>

#include "lib/cc.h"
#include "popd/observe/fitness.h"

struct ev_loop;
struct forwarder;
struct host;
struct link;
struct settings;

struct host_conf {
	struct ev_loop *loop;
	const struct settings *settings;
	struct forwarder *forwarder;
	struct link *link;
	/* the reasons have changed */
	void (*changed)(void *ctx);
	void *ctx;
};

/* Looks for the first time. Its parts outlive it. NULL: after a line in the log. */
struct host *host_create(const struct host_conf *conf) NONNULL;
void host_free(struct host *h); /* NULL is fine */

/* Looks at everything now. */
void host_look(struct host *h) NONNULL;
/* The database's clock, in seconds since 1970, as of now. */
void host_set_database_clock(struct host *h, int64_t seconds) NONNULL;
const struct fitness *host_fitness(const struct host *h) NONNULL;

#endif
