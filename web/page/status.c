/*
 * The status page: a sentence as summary, then a table with a row for each PoP. On a narrow screen
 * the style sheet turns the rows into cards and writes each cell's data-label before it; with the
 * roles it stays a table for screen readers.
 */
#include "web/page/page.h"

#include <stdio.h>

#include "lib/span.h"
#include "web/page/html.h"
#include "web/page/layout.h"
#include "web/page/stamp.h"

struct tally {
	size_t of[POP__COUNT];
	size_t all;
};

static struct tally tally_count(const struct status_view *view)
{
	struct tally t = { .all = view->n };
	for (size_t i = 0; i < view->n; i++)
		t.of[view->pops[i].state]++;
	return t;
}

/* The class that colours the sentence. */
static const char *summary_kind(const struct page_now *now, const struct tally *t)
{
	if (page_is_stale(now))
		return "was";
	return t->of[POP_DOWN] ? "down" : t->of[POP_UP] ? "up" : "disabled";
}

enum { SUMMARY_TEXT = 160 };

/* "2 of 4 PoPs are down, 1 is disabled" */
static const char *summary_text(const struct page_now *now, const struct tally *t,
				char out[static SUMMARY_TEXT])
{
	size_t down = t->of[POP_DOWN], up = t->of[POP_UP], disabled = t->of[POP_DISABLED];
	const char *was = page_is_stale(now) ? "was" : "is",
		   *were = page_is_stale(now) ? "were" : "are";
	int len;
	if (t->all == 0)
		len = snprintf(out, SUMMARY_TEXT, "There %s no PoP yet", was);
	else if (t->all == 1)
		len = snprintf(out, SUMMARY_TEXT, "%.64s %s %s", now->view->pops[0].name, was,
			       pop_state_name(now->view->pops[0].state));
	else if (up == t->all || down == t->all || disabled == t->all)
		len = snprintf(out, SUMMARY_TEXT, "All %zu PoPs %s %s", t->all, were,
			       pop_state_name(now->view->pops[0].state));
	else if (down)
		len = snprintf(out, SUMMARY_TEXT, "%zu of %zu PoPs %s down", down, t->all,
			       down == 1 ? was : were);
	else
		len = snprintf(out, SUMMARY_TEXT, "%zu of %zu PoPs %s up", up, t->all,
			       up == 1 ? was : were);
	if (disabled && disabled != t->all)
		snprintf(out + len, SUMMARY_TEXT - (size_t)len, ", %zu %s disabled", disabled,
			 disabled == 1 ? was : were);
	return out;
}

void page_put_summary(struct html *h, const struct page_now *now)
{
	struct tally t = tally_count(now->view);
	char text[SUMMARY_TEXT];
	html_put(h, "<p class=\"summary s-%s\">%s.</p>\n", summary_kind(now, &t),
		 summary_text(now, &t, text));
}

static void put_state_cell(struct html *h, const struct page_now *now, const struct pop_view *pop)
{
	char span[SPAN_TEXT];
	html_put(h, "<td role=\"cell\" class=\"c-state\" data-label=\"State\">");
	layout_put_state(h, pop->state, page_is_stale(now));
	if (*pop->reason)
		html_put(h, "<span class=\"sub\">%s</span>", pop->reason);
	if (pop->since.s) {
		html_put(h, "<span class=\"sub\">since ");
		stamp_put(h, pop->since);
		html_put(h, "</span>");
		if (!page_is_stale(now))
			html_put(h, "<span class=\"sub\">for %s</span>",
				 span_text(page_time(now).s - pop->since.s, span));
	}
	html_put(h, "</td>\n");
}

static void put_report_cell(struct html *h, const struct page_now *now, const struct pop_view *pop)
{
	char span[SPAN_TEXT], machine[CLOCK_TEXT];
	html_put(h, "<td role=\"cell\" class=\"c-report\" data-label=\"Last report\">");
	if (pop->last_report.s)
		html_put(h, "<time datetime=\"%s\">%s ago</time>",
			 wall_text(pop->last_report, machine),
			 span_text(page_time(now).s - pop->last_report.s, span));
	else
		html_put(h, "never");
	if (*pop->version)
		html_put(h, "<span class=\"sub\">popd %s</span>", pop->version);
	html_put(h, "</td>\n");
}

static void put_count_cell(struct html *h, const char *name, int64_t n)
{
	html_put(h, "<td role=\"cell\" class=\"c-n\" data-label=\"%s\">", name);
	layout_put_number(h, n);
	html_put(h, "</td>\n");
}

static void put_row(struct html *h, const struct page_now *now, const struct pop_view *pop)
{
	html_put(h, "<tr role=\"row\" class=\"r-%s\">\n",
		 page_is_stale(now) ? "was" : pop_state_name(pop->state));
	html_put(
		h,
		"<th role=\"rowheader\" scope=\"row\" class=\"c-name\"><a href=\"/pops/%s\">%s</a>",
		pop->name, pop->name);
	html_put(h, "<span class=\"sub\">");
	layout_put_place(h, pop);
	html_put(h, "</span></th>\n");
	put_state_cell(h, now, pop);
	html_put(h, "<td role=\"cell\" class=\"c-isp\" data-label=\"ISP\">");
	layout_put_isp(h, pop);
	html_put(h, "</td>\n<td role=\"cell\" class=\"c-ip\" data-label=\"Addresses\">");
	html_put(h, "<code>%s</code> <code>%s</code></td>\n", pop->ipv4, pop->ipv6);
	put_count_cell(h, "Tunnels", pop->configured);
	put_count_cell(h, "Tunnels up", pop->up);
	put_count_cell(h, "Tunnels active", pop->active);
	put_report_cell(h, now, pop);
	html_put(h, "</tr>\n");
}

static void put_table(struct html *h, const struct page_now *now)
{
	static const char *const before[] = { "PoP", "State", "ISP", "Addresses" };
	static const char *const counts[] = { "configured", "up", "active" };
	html_put(h, "<table role=\"table\" class=\"pops\">\n<caption>Every PoP of this "
		    "broker</caption>\n"
		    "<thead role=\"rowgroup\">\n<tr role=\"row\">");
	for (size_t i = 0; i < ARRAY_LEN(before); i++)
		html_put(h, "<th role=\"columnheader\" scope=\"col\" rowspan=\"2\">%s</th>",
			 before[i]);
	html_put(h,
		 "<th role=\"columnheader\" scope=\"colgroup\" colspan=\"3\" "
		 "class=\"group\">Tunnels</th>"
		 "<th role=\"columnheader\" scope=\"col\" rowspan=\"2\">Last report</th></tr>\n<tr "
		 "role=\"row\">");
	for (size_t i = 0; i < ARRAY_LEN(counts); i++)
		html_put(h, "<th role=\"columnheader\" scope=\"col\" class=\"c-n\">%s</th>",
			 counts[i]);
	html_put(h, "</tr>\n</thead>\n<tbody role=\"rowgroup\">\n");
	for (size_t i = 0; i < now->view->n; i++)
		put_row(h, now, &now->view->pops[i]);
	html_put(h, "</tbody>\n</table>\n");
}

static void put_glossary(struct html *h)
{
	html_put(h, "<h2>What the words mean</h2>\n<dl class=\"words\">\n");
	html_put(
		h,
		"<dt>Up</dt><dd>The PoP can carry packets: it reported within the last %d seconds, "
		"and nothing on its host stands in the way.</dd>\n",
		STATUS_TRUE_FOR);
	html_put(
		h,
		"<dt>Down</dt><dd>It did not report, or it said why it cannot carry packets; its "
		"tunnels do not work.</dd>\n"
		"<dt>Disabled</dt><dd>The operator has taken it out of service.</dd>\n"
		"<dt>Tunnels</dt><dd>Configured: all that end at the PoP. Up: those that can carry "
		"packets now. Active: "
		"those whose client sent a packet in the last five minutes.</dd>\n</dl>\n");
}

void page_status(struct html *h, const struct page_now *now)
{
	struct tally t = tally_count(now->view);
	char title[SUMMARY_TEXT];
	struct layout layout = { .title = summary_text(now, &t, title),
				 .path = "/pops/status",
				 .refresh = PAGE_REFRESH };
	layout_open(h, now, &layout);
	html_put(h, "<h1>PoP status</h1>\n");
	layout_put_age(h, now);
	page_put_summary(h, now);
	html_put(h, "<p class=\"asof\">As of ");
	stamp_put(h, now->view->generated);
	html_put(h, ". This page refreshes itself every %d seconds.</p>\n", PAGE_REFRESH);
	if (t.all)
		put_table(h, now);
	else
		html_put(h,
			 "<p>A point of presence (PoP) is listed here as soon as the operator adds "
			 "it.</p>\n");
	put_glossary(h);
	layout_close(h);
}
