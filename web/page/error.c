#include "web/page/page.h"

#include "web/page/html.h"
#include "web/page/layout.h"

struct error_text {
	unsigned status;
	unsigned refresh;
	const char *title, *text;
};

/* The last row is for everything else. */
static const struct error_text error_texts[] = {
	{ 404, 0, "Page not found",
	  "There is no page at this address. A PoP is listed here only while it is part of this broker." },
	{ 405, 0, "Method not allowed", "This site is only for reading: GET and HEAD." },
	{ 503, 5, "Not ready yet",
	  "The database has not answered yet, so there is nothing to show. This page tries again by itself." },
	{ 500, 0, "Internal error",
	  "This page could not be made. The reason is in the log of the server." },
};

void page_error(struct html *h, const struct page_now *now, unsigned status)
{
	const struct error_text *e = error_texts;
	while (e->status != status && e != &error_texts[ARRAY_LEN(error_texts) - 1])
		e++;
	struct layout layout = { .title = e->title, .refresh = e->refresh };
	layout_open(h, now, &layout);
	html_put(h, "<h1>%s</h1>\n<p class=\"lead\">%s</p>\n", e->title, e->text);
	html_put(
		h,
		"<p><a href=\"/\">Front page</a></p>\n<p><a href=\"/pops/status\">PoP status</a></p>\n");
	layout_close(h);
}
