/* What a pool knows of its server, and when it may try to connect again. Time (monotonic
 * milliseconds) and the number of connections that are alive are arguments; each change worth it is
 * logged here, once. */
#ifndef LIB_IO_PGSERVER_H
#define LIB_IO_PGSERVER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/log.h"

enum pgserver_state {
	PGSERVER_UNKNOWN, /* nothing tried yet */
	PGSERVER_UP,
	PGSERVER_SHAKY, /* since then the last connection was lost */
	PGSERVER_AWAY,  /* since then an attempt failed, and there is no other connection */
};

struct pgserver {
	enum pgserver_state state;
	unsigned failures;    /* attempts failed in a row */
	int64_t last_attempt; /* when one began */
	int64_t retry_at;     /* not before this, unless a fresh statement asks */
	int64_t doubt_since;  /* when it was last found not to be up */
	struct log_limit limit;
};

/* A connection is made and set up. */
void pgserver_connected(struct pgserver *s) NONNULL;
/* A statement was answered, well or badly. Does not shorten the pause before more connections: it
 * says nothing about those. */
void pgserver_answered(struct pgserver *s) NONNULL;
/* A connection that was alive is gone; `live` are left. */
void pgserver_lost(struct pgserver *s, size_t live, int64_t now, const char *why) NONNULL;
/* An attempt to connect failed. */
void pgserver_failed(struct pgserver *s, size_t live, int64_t now, const char *why) NONNULL;

/* How long to wait after so many failures: a quarter of a second, doubled by each up to five, and
 * up to a fifth more by chance, so that the programs that lost one server together do not come back
 * together. */
int64_t pgserver_pause_ms(unsigned failures);

#endif
