#include "popd/core/measure.h"

static const struct {
	const char *name, *unit, *text;
	enum measure_how how;
} rows[MEASURE__COUNT] = {
#define X(e, name, how, unit, text) [MEASURE_##e] = { name, unit, text, MEASURE_##how },
	MEASURE_TUNNEL_LIST(X) MEASURE_POP_LIST(X)
#undef X
};

const char *measure_name(enum measure m)
{
	return rows[m].name;
}

const char *measure_unit(enum measure m)
{
	return rows[m].unit;
}

const char *measure_text(enum measure m)
{
	return rows[m].text;
}

enum measure_how measure_how(enum measure m)
{
	return rows[m].how;
}
