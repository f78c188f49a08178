#include "lib/nodump.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#if defined(__SANITIZE_ADDRESS__)
#define IS_TRACED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_TRACED 1
#endif
#endif
#ifndef IS_TRACED
#define IS_TRACED 0
#endif

bool nodump_is_traced(void)
{
	return IS_TRACED;
}

void nodump_set(void)
{
	static const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	if (!nodump_is_traced())
		(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}
