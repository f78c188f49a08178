/*
 * Complaints that show no more of a tunnel than its endpoint (core/complaint.h): finds the tunnels whose endpoint that
 * is and gives the complaint to worker 0 for each. One walk over all tunnels serves all complaints that came since the
 * last, and walks keep a distance, so a flood of made-up ones costs no more than that; those there was no room for are
 * counted as unverified by the worker that had them. Control thread.
 */
#ifndef POPD_DAEMON_SEEKER_H
#define POPD_DAEMON_SEEKER_H

#include "lib/cc.h"

struct ev_loop;
struct seeker;
struct table;
struct worker;

/* `worker`: the one that receives ICMPv4; it outlives this. NULL: no memory. */
struct seeker *seeker_create(struct ev_loop *loop, struct table *t, struct worker *worker) NONNULL;
void seeker_free(struct seeker *s); /* NULL is fine */

/* There may be complaints waiting. */
void seeker_wake(struct seeker *s) NONNULL;

#endif
