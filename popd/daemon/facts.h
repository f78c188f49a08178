/* Fills in the facts that popctl and the metrics show (popd/observe/facts.h). Control thread. */
#ifndef POPD_DAEMON_FACTS_H
#define POPD_DAEMON_FACTS_H

#include "lib/cc.h"

struct facts;

/* `parts`: the struct parts of parts.h, all of it built. */
void facts_fill(void *parts, struct facts *out) NONNULL;

#endif
