#include "popd/core/offload.h"

static const char *const names[] = {
#define X(e, name, standard, text) name,
	OFFLOAD_LIST(X)
#undef X
};

static const char *const state_names[] = { [OFFLOAD_OFF] = "off",
					   [OFFLOAD_ON] = "on",
					   [OFFLOAD_MISSING] = "missing",
					   [OFFLOAD_REFUSED] = "refused" };
_Static_assert(ARRAY_LEN(state_names) == OFFLOAD_STATE__COUNT, "every state has a name");

const char *offload_name(enum offload o)
{
	return o < OFFLOAD__COUNT ? names[o] : "?";
}

const char *offload_state_name(enum offload_state s)
{
	return s < OFFLOAD_STATE__COUNT ? state_names[s] : "?";
}

bool offload_lost(struct offloads *o, enum offload which, enum offload_state why)
{
	int on = OFFLOAD_ON;

	return atomic_compare_exchange_strong(&o->state[which], &on, (int)why);
}
