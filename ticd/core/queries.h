/* What a logged-in user may ask and change: tunnels, subnets, PoPs. The rules are the store's; this
 * module knows only arguments and formats. */
#ifndef TICD_CORE_QUERIES_H
#define TICD_CORE_QUERIES_H

#include "lib/cc.h"
#include "ticd/core/session.h"

void queries_run_tunnel_list(struct session *s, const struct session_args *args) NONNULL;
void queries_run_tunnel_show(struct session *s, const struct session_args *args) NONNULL;
void queries_run_tunnel_set(struct session *s, const struct session_args *args) NONNULL;
void queries_run_route_list(struct session *s, const struct session_args *args) NONNULL;
void queries_run_route_show(struct session *s, const struct session_args *args) NONNULL;
void queries_run_pop_list(struct session *s, const struct session_args *args) NONNULL;
void queries_run_pop_show(struct session *s, const struct session_args *args) NONNULL;

#endif
