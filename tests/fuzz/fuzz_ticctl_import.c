/* The reader of sixxsd files: any bytes are read, or refused with a line and a reason; all values
 * are in range. */
#include <stdlib.h>
#include <string.h>

#include "ticd/ctl/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct import im = { 0 };
	const char *reason = NULL;

	if (import_text(&im, (const char *)data, size, &reason) != 0)
		check(reason && *reason && (im.line > 0 || size == 0));
	for (size_t i = 0; i < im.n_tunnels; i++) {
		const struct import_tunnel *t = &im.tunnels[i];
		check(t->line > 0 && t->line <= im.line && t->number <= INT32_MAX);
		check(t->id > 0 && t->mtu > 0 && t->mtu <= 0xffff);
		check(t->type == IMPORT_STATIC || strlen(t->secret) == IMPORT_SECRET_LEN);
		check(strspn(t->secret, "0123456789abcdef") == strlen(t->secret));
	}
	for (size_t i = 0; i < im.n_routes; i++) {
		const struct import_route *r = &im.routes[i];
		check(r->line > 0 && r->line <= im.line && r->number <= INT32_MAX &&
		      r->prefix.len <= 128);
	}
	import_free(&im);
	return 0;
}
