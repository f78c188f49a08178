/* What a logged-in user may ask and change: tunnels, subnets, PoPs. The rules are the store's; here
 * are only words and formats. */
#ifndef TICD_CORE_QUERIES_H
#define TICD_CORE_QUERIES_H

#include "lib/cc.h"
#include "ticd/core/session.h"

enum { LIST_MAX = 32768 }; /* rows in one list: the tunnels of a whole /48 */

void queries_run_tunnel_list(struct session *s, const struct session_args *args) NONNULL;
void queries_run_tunnel_show(struct session *s, const struct session_args *args) NONNULL;
void queries_run_tunnel_set(struct session *s, const struct session_args *args) NONNULL;
void queries_run_route_list(struct session *s, const struct session_args *args) NONNULL;
void queries_run_route_show(struct session *s, const struct session_args *args) NONNULL;
void queries_run_pop_list(struct session *s, const struct session_args *args) NONNULL;
void queries_run_pop_show(struct session *s, const struct session_args *args) NONNULL;

#endif
