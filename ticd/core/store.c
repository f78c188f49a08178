#include "ticd/core/store.h"

static const struct store_shape shapes[] = {
	[STORE_LOGIN] = { "tic_login", 2, LOGIN__COUNT },
	[STORE_LOGIN_ACCEPT] = { "tic_login_accept", 6, ACCEPT__COUNT },
	[STORE_TUNNEL_LIST] = { "tic_tunnel_list", 2, 4 },
	[STORE_TUNNEL_SHOW] = { "tic_tunnel_show", 4, TUNNEL__COUNT },
	[STORE_TUNNEL_ENDPOINT] = { "tic_tunnel_endpoint", 4, 1 },
	[STORE_TUNNEL_STATE] = { "tic_tunnel_state", 4, 1 },
	[STORE_POP_LIST] = { "tic_pop_list", 0, 1 },
	[STORE_POP_SHOW] = { "tic_pop_show", 1, POP__COUNT },
	[STORE_ROUTE_LIST] = { "tic_route_list", 2, 3 },
	[STORE_ROUTE_SHOW] = { "tic_route_show", 3, ROUTE__COUNT },
};
_Static_assert(ARRAY_LEN(shapes) == STORE__COUNT, "every question has a shape");

const struct store_shape *store_shape(enum store_question q)
{
	return &shapes[q];
}
