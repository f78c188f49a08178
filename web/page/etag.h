/* Entity tags (RFC 9110 8.8.3 and 13.1.2): ours are strong, over the body. Pure. */
#ifndef WEB_PAGE_ETAG_H
#define WEB_PAGE_ETAG_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

struct digest_ctx;

enum { ETAG_TEXT = 35 }; /* 32 hex digits in quotes, with NUL */

/* "" when the digest fails: then the answer has no tag. */
const char *etag_make(struct digest_ctx *digest, const void *body, size_t len,
		      char out[static ETAG_TEXT]) NONNULL;

/* Whether an If-None-Match header names `etag` (weak comparison) or is "*". A header that does not
 * parse names nothing. */
bool etag_is_named(const char *header, const char *etag) NONNULL;

#endif
