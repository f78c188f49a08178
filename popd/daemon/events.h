/* What workers tell: endpoints that moved and tunnels that came up, for the endpoint journal (all)
 * and the log (bounded). Control thread. */
#ifndef POPD_DAEMON_EVENTS_H
#define POPD_DAEMON_EVENTS_H

#include "lib/cc.h"

struct events;
struct store;
struct table;
struct worker;

/* NULL: no memory. */
struct events *events_create(struct table *t, struct store *store) NONNULL;
void events_free(struct events *e); /* NULL is fine */

/* Takes all that waits at `n` workers; what has to be on disk is there afterwards. */
void events_drain(struct events *e, struct worker *const *workers, unsigned n) NONNULL;

#endif
