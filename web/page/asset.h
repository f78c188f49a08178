/* The files of web/static, inside the program: nothing is read from disk and nothing comes from
 * another site. */
#ifndef WEB_PAGE_ASSET_H
#define WEB_PAGE_ASSET_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

struct asset {
	const char *name; /* "style.css" */
	const char *type; /* Content-Type */
	const uint8_t *data, *end;
};

/* NULL: no such file. */
const struct asset *asset_find(const char *name) NONNULL;

#endif
