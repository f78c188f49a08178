#include "popd/fastpath/verifier.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "lib/cc.h"

static bool is_statistics(const char *line)
{
	static const char *const begins[] = { "processed ", "verification time ", "stack depth " };

	for (size_t i = 0; i < ARRAY_LEN(begins); i++)
		if (strncmp(line, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

const char *verifier_reason(char *log, void (*line)(void *arg, const char *line), void *arg)
{
	const char *reason = NULL;
	char *rest = log, *one;

	while ((one = strsep(&rest, "\n"))) {
		if (*one == '\0')
			continue;
		line(arg, one);
		if (!is_statistics(one))
			reason = one;
	}
	return reason;
}
