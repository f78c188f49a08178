/* Input for a line buffer as from a socket. */
#ifndef TESTS_UNIT_TEST_TICD_FEED_H
#define TESTS_UNIT_TEST_TICD_FEED_H

#include <string.h>

#include "ticd/proto/line.h"

/* Copies what fits of `data`; returns how much that was. */
static inline size_t line_feed(struct line_in *in, const void *data, size_t len)
{
	size_t space;
	char *to = line_space(in, &space);

	if (len > space)
		len = space;
	memcpy(to, data, len);
	line_received(in, len);
	return len;
}

#endif
