/* Any bytes as a text of a page and as a time: what comes out is valid for HTML, and a time that is
 * read is written again as the same time. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"
#include "web/page/html.h"
#include "web/page/stamp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_escaped(const char *text)
{
	struct html h = html_init(1 << 20);
	size_t len;
	html_put(&h, "<p title=\"%s\">", text);
	char *out = html_take(&h, &len);
	if (!out)
		abort();
	/* Between the quotes nothing may end the attribute, begin a tag or be forbidden. */
	for (size_t i = 10; i < len - 2; i++)
		if (strchr("<>\"'", out[i]) ||
		    ((unsigned char)out[i] < 0x20 && out[i] != '\t' && out[i] != '\n'))
			abort();
	free(out);
}

static void check_clean(const char *text)
{
	char *clean = utf8_clean(text), *again = clean ? utf8_clean(clean) : NULL;
	if (!again || strcmp(clean, again) != 0)
		abort();
	free(clean);
	free(again);
}

static void check_stamp(const char *text)
{
	char out[CLOCK_TEXT];
	wall_t t, same;
	if (stamp_parse(text, &t) != 0)
		return;
	wall_text(t, out);
	if (out[0] != '@' && out[4] == '-' && memcmp(out, "0000", 4) != 0 &&
	    (stamp_parse(out, &same) != 0 || same.s != t.s))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check_escaped(text);
	check_clean(text);
	check_stamp(text);
	free(text);
	return 0;
}
