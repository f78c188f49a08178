#include "web/page/asset.h"

#include <string.h>

/* The assembler takes the file in as it is; the path is from the root, where make runs. */
#define EMBED(symbol, path)                                                               \
	__asm__(".pushsection .rodata\n" #symbol "_data:\n.incbin \"" path "\"\n" #symbol \
		"_end:\n.byte 0\n.popsection\n");                                         \
	extern const uint8_t symbol##_data[] __attribute__((visibility("hidden")));       \
	extern const uint8_t symbol##_end[] __attribute__((visibility("hidden")))

EMBED(asset_style, "web/static/style.css");
EMBED(asset_favicon, "web/static/favicon.svg");

static const struct asset assets[] = {
	{ "style.css", "text/css; charset=utf-8", asset_style_data, asset_style_end },
	{ "favicon.svg", "image/svg+xml", asset_favicon_data, asset_favicon_end },
};

const struct asset *asset_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(assets); i++)
		if (strcmp(assets[i].name, name) == 0)
			return &assets[i];
	return NULL;
}
