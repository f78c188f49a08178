/* The state of a pool's server, and when the pool may try to connect again. Time (monotonic
 * milliseconds) and the number of connections that are alive are arguments. Changes are logged
 * here, once. */
#ifndef LIB_IO_PGSERVER_H
#define LIB_IO_PGSERVER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/log.h"

enum pgserver_state {
	PGSERVER_UNKNOWN, /* nothing tried yet */
	PGSERVER_UP,
	PGSERVER_SHAKY, /* the last connection was lost, and none was tried since */
	PGSERVER_AWAY,  /* an attempt failed, and there is no other connection */
};

struct pgserver {
	enum pgserver_state state;
	unsigned failures;    /* attempts failed in a row */
	int64_t last_attempt; /* when one began */
	int64_t retry_at;     /* not before this, unless a new statement arrives */
	int64_t doubt_since;  /* when it ceased to be up */
	struct log_limit limit;
};

/* A connection is made and set up. */
void pgserver_connected(struct pgserver *s) NONNULL;
/* A statement was answered, well or badly. The pause before a further connection stays. */
void pgserver_answered(struct pgserver *s) NONNULL;
/* A connection that was alive is gone; `live` are left. */
void pgserver_lost(struct pgserver *s, size_t live, int64_t now, const char *why) NONNULL;
/* An attempt to connect failed. */
void pgserver_failed(struct pgserver *s, size_t live, int64_t now, const char *why) NONNULL;

/* How long to wait after so many failures: 250 ms, doubled by each failure up to 5 s, and up to a
 * fifth more at random, so that programs which lost a server together do not come back together. */
int64_t pgserver_pause_ms(unsigned failures);

#endif
