#include "lib/err.h"

#include <stddef.h>

static const char *const texts[] = {
	[ERR_NONE] = "no error",
	[ERR_NOMEM] = "out of memory",
	[ERR_SYS] = "system call failed",
	[ERR_FORMAT] = "malformed",
	[ERR_RANGE] = "out of range",
	[ERR_TRUNCATED] = "ends too early",
	[ERR_TRAILING] = "bytes left after the end",
	[ERR_NO_ROOM] = "does not fit",
	[ERR_UNKNOWN] = "unknown name",
	[ERR_EXISTS] = "exists already",
	[ERR_NOT_FOUND] = "not found",
	[ERR_REFUSED] = "refused by a rule",
	[ERR_TIMEOUT] = "no answer in time",
	[ERR_AWAY] = "cannot be reached",
	[ERR_BUSY] = "too busy",
};
_Static_assert(ARRAY_LEN(texts) == ERR__COUNT, "every error has a text");

const char *err_text(int err)
{
	if (err > 0 || err <= -ERR__COUNT)
		return "unknown error";
	return texts[-err];
}
