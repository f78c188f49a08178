/* The commands about tunnels: commands.h has their requests. */
#ifndef POPD_OBSERVE_TUNNEL_COMMANDS_H
#define POPD_OBSERVE_TUNNEL_COMMANDS_H

#include <jansson.h>

#include "lib/cc.h"
#include "popd/observe/request.h"

/* A page of the list: tunnels in it, and slots searched for them, at most. */
enum { TUNNEL_LIST_PAGE = 500, TUNNEL_LIST_SLOTS = 65536 };

/* Each gives its answer, a new reference. */
json_t *tunnel_list(const struct commands *c, const struct request *r) NONNULL;
json_t *tunnel_show(const struct commands *c, const struct request *r) NONNULL;
json_t *tunnel_errors(const struct commands *c, const struct request *r) NONNULL;
json_t *tunnel_trace(const struct commands *c, const struct request *r) NONNULL;

#endif
