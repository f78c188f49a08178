#include "popd/core/drop.h"

#include "lib/cc.h"

static const struct {
	const char *name, *text;
} reasons[DROP__COUNT] = { [DROP_NONE] = { "none", "the packet passed" },
#define X(e, name, detail, text) [DROP_##e] = { name, text },
			   DROP_LIST(X)
#undef X
};

const char *drop_name(enum drop d)
{
	return (unsigned)d < DROP__COUNT ? reasons[d].name : "?";
}

const char *drop_text(enum drop d)
{
	return (unsigned)d < DROP__COUNT ? reasons[d].text : "?";
}
