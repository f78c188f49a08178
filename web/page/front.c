/* The front page: honest about what is here. Accounts and tunnels are asked for from the operator,
 * not on this site. */
#include "web/page/page.h"

#include "web/page/html.h"
#include "web/page/layout.h"

static void put_now(struct html *h, const struct page_now *now)
{
	layout_put_age(h, now);
	if (now->view)
		page_put_summary(h, now);
	else
		html_put(
			h,
			"<p>The database has not answered yet, so the state of the PoPs is not known.</p>\n");
	html_put(h, "<p><a href=\"/pops/status\">The status of every PoP</a></p>\n");
}

void page_front(struct html *h, const struct page_now *now)
{
	struct layout layout = { .title = "", .path = "/" };
	layout_open(h, now, &layout);
	html_put(h, "<h1>%s</h1>\n", now->site->title);
	put_now(h, now);
	html_put(
		h,
		"<h2>What this is</h2>\n"
		"<p>This is an IPv6 tunnel broker. It gives a computer or a network that has only IPv4 a place on the "
		"IPv6 Internet: your packets travel inside IPv4 to a point of presence (PoP), and from there as plain "
		"IPv6. You get a fixed prefix of your own that stays the same when your IPv4 address changes.</p>\n"
		"<h2>How to connect</h2>\n"
		"<p>Accounts and tunnels are handed out by the operator of this site. With an account, point AICCU or "
		"another TIC client at this broker; the client asks for its tunnel's settings and brings it up. There "
		"are three kinds:</p>\n"
		"<dl class=\"words\">\n"
		"<dt>AYIYA</dt><dd>Packets inside UDP. Works behind NAT and with a changing address.</dd>\n"
		"<dt>Heartbeat</dt><dd>Protocol 41 with a small signed beat that tells the PoP your present IPv4 "
		"address.</dd>\n"
		"<dt>Static</dt><dd>Protocol 41 to one fixed IPv4 address.</dd>\n"
		"</dl>\n<h2>For programs</h2>\n");
	html_put(
		h,
		"<p>The status as JSON is at <a href=\"/pops/status.json\">%s/pops/status.json</a>.</p>\n",
		now->site->url);
	layout_close(h);
}
