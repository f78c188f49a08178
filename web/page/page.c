/* The pages without a view of their own: the front page and the error page. */
#include "web/page/page.h"

#include "web/page/html.h"
#include "web/page/layout.h"

static void put_now(struct html *h, const struct page_now *now)
{
	layout_put_age(h, now);
	if (now->view)
		page_put_summary(h, now);
	else
		html_put(h, "<p>The database has not answered yet, so the state of the PoPs is not "
			    "known.</p>\n");
	html_put(h, "<p><a href=\"/pops/status\">The status of every PoP</a></p>\n");
}

void page_front(struct html *h, const struct page_now *now)
{
	struct layout layout = { .title = "", .path = "/" };
	layout_open(h, now, &layout);
	html_put(h, "<h1>%s</h1>\n", now->site->title);
	put_now(h, now);
	html_put(h,
		 "<h2>What this is</h2>\n"
		 "<p>This is an IPv6 tunnel broker. It connects computers and networks that have "
		 "only IPv4 to the "
		 "IPv6 Internet: your packets travel inside IPv4 to a point of presence (PoP), and "
		 "from there as plain "
		 "IPv6. You get a fixed prefix of your own that stays the same when your IPv4 "
		 "address changes.</p>\n"
		 "<h2>How to connect</h2>\n"
		 "<p>The operator of this site hands out accounts and tunnels. With an account, "
		 "point AICCU or another "
		 "TIC client at this broker; the client fetches the settings of its tunnel and "
		 "brings it up. There are "
		 "three types of tunnels:</p>\n"
		 "<dl class=\"words\">\n"
		 "<dt>AYIYA</dt><dd>Packets inside UDP. Works behind NAT and with a changing "
		 "address.</dd>\n"
		 "<dt>Heartbeat</dt><dd>Protocol 41, with a small signed packet now and then that "
		 "gives the PoP your "
		 "present IPv4 address.</dd>\n"
		 "<dt>Static</dt><dd>Protocol 41 to one fixed IPv4 address.</dd>\n"
		 "</dl>\n<h2>For programs</h2>\n");
	html_put(h,
		 "<p>The status as JSON is at <a "
		 "href=\"/pops/status.json\">%s/pops/status.json</a>.</p>\n",
		 now->site->url);
	layout_close(h);
}

struct error_text {
	unsigned status;
	unsigned refresh;
	const char *title, *text;
};

/* The last row is for everything else. */
static const struct error_text error_texts[] = {
	{ 404, 0, "Page not found",
	  "There is no page at this address. A PoP is listed here only while it is part of this "
	  "broker." },
	{ 405, 0, "Method not allowed", "This site answers GET and HEAD only." },
	{ 503, 5, "Not ready yet",
	  "The database has not answered yet, so there is nothing to show. This page tries again "
	  "by itself." },
	{ 500, 0, "Internal error",
	  "This page could not be made. The reason is in the log of webd." },
};

void page_error(struct html *h, const struct page_now *now, unsigned status)
{
	const struct error_text *e = error_texts;
	while (e->status != status && e != &error_texts[ARRAY_LEN(error_texts) - 1])
		e++;
	struct layout layout = { .title = e->title, .refresh = e->refresh };
	layout_open(h, now, &layout);
	html_put(h, "<h1>%s</h1>\n<p class=\"lead\">%s</p>\n", e->title, e->text);
	html_put(h, "<p><a href=\"/\">Front page</a></p>\n<p><a href=\"/pops/status\">PoP "
		    "status</a></p>\n");
	layout_close(h);
}
