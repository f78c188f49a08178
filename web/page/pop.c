/* One PoP: what its row of the status page says, in more detail, and the history of its state. */
#include "web/page/page.h"

#include <stdio.h>

#include "lib/span.h"
#include "web/page/html.h"
#include "web/page/layout.h"
#include "web/page/stamp.h"

static void put_details(struct html *h, const struct page_now *now, const struct pop_view *pop)
{
	char span[SPAN_TEXT];
	html_put(h, "<h2>Details</h2>\n<dl class=\"facts\">\n<dt>Place</dt><dd>");
	layout_put_place(h, pop);
	if (!*pop->city && !*pop->country)
		html_put(h, "–");
	html_put(h, "</dd>\n<dt>ISP</dt><dd>");
	layout_put_isp(h, pop);
	html_put(h, "</dd>\n");
	html_put(h,
		 "<dt>IPv4</dt><dd><code>%s</code></dd>\n<dt>IPv6</dt><dd><code>%s</code></dd>\n"
		 "<dt>Tunnels</dt><dd>",
		 pop->ipv4, pop->ipv6);
	layout_put_number(h, pop->configured);
	html_put(h, " configured, ");
	layout_put_number(h, pop->up);
	html_put(h, " up, ");
	layout_put_number(h, pop->active);
	html_put(h, " active</dd>\n<dt>Last report</dt><dd>");
	if (pop->last_report.s) {
		stamp_put(h, pop->last_report);
		html_put(h, ", %s ago", span_text(page_time(now).s - pop->last_report.s, span));
	} else {
		html_put(h, "never");
	}
	html_put(h, "</dd>\n");
	html_put(h, "<dt>Version of popd</dt><dd>%s</dd>\n</dl>\n",
		 *pop->version ? pop->version : "–");
}

static void put_history_row(struct html *h, const struct page_now *now,
			    const struct history_row *row)
{
	char span[SPAN_TEXT];
	bool lasts = row->until.s == 0, stale = page_is_stale(now);
	wall_t end = !lasts ? row->until : stale ? now->view->generated : page_time(now);
	html_put(h, "<tr role=\"row\">\n<td role=\"cell\" data-label=\"State\">");
	layout_put_state(h, row->state, stale && lasts);
	if (*row->reason)
		html_put(h, "<span class=\"sub\">%s</span>", row->reason);
	html_put(h, "</td>\n<td role=\"cell\" data-label=\"From\">");
	stamp_put(h, row->since);
	html_put(h, "</td>\n<td role=\"cell\" data-label=\"Until\">");
	if (!lasts)
		stamp_put(h, row->until);
	else
		html_put(h, stale ? "not known" : "now");
	html_put(h,
		 "</td>\n<td role=\"cell\" class=\"c-span\" data-label=\"For\">%s%s</td>\n</tr>\n",
		 stale && lasts ? "at least " : "", span_text(end.s - row->since.s, span));
}

static void put_history(struct html *h, const struct page_now *now, const struct pop_view *pop)
{
	static const char *const heads[] = { "State", "From", "Until", "For" };
	const struct history_view *history = now->history(now->history_ctx, pop->name);
	html_put(h, "<h2>History</h2>\n");
	if (!history) {
		html_put(h, "<p>The history has not been read from the database yet; it will be on "
			    "this page soon.</p>\n");
		return;
	}
	if (history->n == 0) {
		html_put(h, "<p>The state of this PoP has never changed.</p>\n");
		return;
	}
	html_put(h,
		 "<table role=\"table\" class=\"history\">\n<caption>States of %s, newest "
		 "first</caption>\n"
		 "<thead role=\"rowgroup\">\n<tr role=\"row\">",
		 pop->name);
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		html_put(h, "<th role=\"columnheader\" scope=\"col\">%s</th>", heads[i]);
	html_put(h, "</tr>\n</thead>\n<tbody role=\"rowgroup\">\n");
	for (size_t i = 0; i < history->n; i++)
		put_history_row(h, now, &history->rows[i]);
	html_put(h, "</tbody>\n</table>\n");
	if (history->cut)
		html_put(h, "<p class=\"asof\">Older changes are not shown.</p>\n");
}

void page_pop(struct html *h, const struct page_now *now, const struct pop_view *pop)
{
	char path[80], title[100], span[SPAN_TEXT];
	bool stale = page_is_stale(now);
	snprintf(path, sizeof(path), "/pops/%s", pop->name);
	snprintf(title, sizeof(title), "%.64s %s %s", pop->name, stale ? "was" : "is",
		 pop_state_name(pop->state));
	struct layout layout = { .title = title, .path = path, .refresh = PAGE_REFRESH };
	layout_open(h, now, &layout);
	html_put(h, "<p class=\"crumb\"><a href=\"/pops/status\">All PoPs</a></p>\n<h1>%s</h1>\n",
		 pop->name);
	layout_put_age(h, now);
	html_put(h, "<p class=\"summary s-%s\">", stale ? "was" : pop_state_name(pop->state));
	layout_put_state(h, pop->state, stale);
	if (*pop->reason)
		html_put(h, ": %s,", pop->reason);
	if (pop->since.s) {
		html_put(h, " since ");
		stamp_put(h, pop->since);
		if (!stale)
			html_put(h, ", for %s", span_text(page_time(now).s - pop->since.s, span));
	}
	html_put(h, "</p>\n<p class=\"asof\">As of ");
	stamp_put(h, now->view->generated);
	html_put(h, ". This page refreshes itself every %d seconds.</p>\n", PAGE_REFRESH);
	put_details(h, now, pop);
	put_history(h, now, pop);
	layout_close(h);
}
