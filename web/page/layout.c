#include "web/page/layout.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/span.h"
#include "lib/version.h"
#include "web/page/html.h"
#include "web/page/stamp.h"

static void put_head(struct html *h, const struct site *site, const struct layout *layout)
{
	html_put(h,
		 "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>");
	if (*layout->title)
		html_put(h, "%s – ", layout->title);
	html_put(h,
		 "%s</title>\n<meta name=\"viewport\" content=\"width=device-width, "
		 "initial-scale=1\">\n"
		 "<meta name=\"color-scheme\" content=\"light dark\">\n",
		 site->title);
	if (layout->refresh)
		html_put(h, "<meta http-equiv=\"refresh\" content=\"%u\">\n", layout->refresh);
	if (layout->path)
		html_put(h, "<link rel=\"canonical\" href=\"%s%s\">\n", site->url, layout->path);
	html_put(
		h,
		"<link rel=\"stylesheet\" href=\"%s\">\n"
		"<link rel=\"icon\" href=\"/static/favicon.svg\" type=\"image/svg+xml\">\n</head>\n",
		site->style_url);
}

void layout_open(struct html *h, const struct page_now *now, const struct layout *layout)
{
	put_head(h, now->site, layout);
	html_put(
		h,
		"<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
		"<header class=\"top\"><div class=\"wrap\">\n<a class=\"brand\" href=\"/\">%s</a>\n"
		"<nav aria-label=\"Main\"><a href=\"/pops/status\"",
		now->site->title);
	bool is_here = layout->path && strcmp(layout->path, "/pops/status") == 0;
	html_put(h, is_here ? " class=\"here\">PoP status<span class=\"unseen\"> (this page)</span>"
			    : ">PoP status");
	html_put(h, "</a></nav>\n</div></header>\n<main id=\"main\" class=\"wrap\">\n");
}

void layout_close(struct html *h)
{
	html_put(h, "</main>\n<footer class=\"wrap\">\n<p>All times are UTC.</p>\n"
		    "<p><a href=\"/pops/status.json\">Status as JSON</a></p>\n");
	html_put(h, "<p>webd %s</p>\n</footer>\n</body>\n</html>\n", BROKER_VERSION);
}

void layout_put_age(struct html *h, const struct page_now *now)
{
	char span[SPAN_TEXT];
	if (!now->view || (!now->away && !page_is_stale(now)))
		return;
	html_put(h, "<div class=\"notice\" role=\"status\">\n<p><strong>%s is %" PRId64 " %s old",
		 now->away ? "The database is away; what you see" : "What you see", now->age,
		 now->age == 1 ? "second" : "seconds");
	if (now->age >= 120)
		html_put(h, " (%s)", span_text(now->age, span));
	html_put(h, ".</strong></p>\n<p>It dates from ");
	stamp_put(h, now->view->generated);
	html_put(h, ".");
	if (now->away) {
		html_put(h, " The database has not answered since ");
		stamp_put(h, now->away_since);
		html_put(
			h,
			"; webd asks it again every few seconds. Tunnels keep working without it.");
	}
	if (page_is_stale(now))
		html_put(h, " The present state of the PoPs is not known, so the last known one is "
			    "shown.");
	html_put(h, "</p>\n</div>\n");
}

void layout_put_state(struct html *h, enum pop_state state, bool stale)
{
	static const char *const is[POP__COUNT] = {
		[POP_UP] = "Up", [POP_DOWN] = "Down", [POP_DISABLED] = "Disabled"
	};
	if (stale)
		html_put(h, "<span class=\"state was\">Was %s</span>", pop_state_name(state));
	else
		html_put(h, "<span class=\"state %s\">%s</span>", pop_state_name(state), is[state]);
}

void layout_put_place(struct html *h, const struct pop_view *pop)
{
	html_put(h, "%s%s%s", pop->city, *pop->city && *pop->country ? ", " : "", pop->country);
}

/* Only http and https (no javascript:), with a host, without blanks or control characters. */
static bool is_web_address(const char *url)
{
	const char *rest;
	if (strncasecmp(url, "https://", 8) == 0)
		rest = url + 8;
	else if (strncasecmp(url, "http://", 7) == 0)
		rest = url + 7;
	else
		return false;
	if (!isalnum((unsigned char)*rest) && *rest != '[')
		return false;
	for (; *rest; rest++)
		if (!isgraph((unsigned char)*rest) || strchr("\"<>\\^`{|}", *rest))
			return false;
	return true;
}

void layout_put_isp(struct html *h, const struct pop_view *pop)
{
	const char *name = *pop->isp_name ? pop->isp_name : pop->isp_website;
	if (!*name)
		html_put(h, "–");
	else if (is_web_address(pop->isp_website))
		html_put(h, "<a href=\"%s\" rel=\"noopener noreferrer\">%s</a>", pop->isp_website,
			 name);
	else
		html_put(h, "%s", name);
}

void layout_put_number(struct html *h, int64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRId64, n);
	for (int i = 0; i < len; i++) {
		bool gap = i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-';
		html_put(h, gap ? ",%s" : "%s", (const char[]){ digits[i], '\0' });
	}
}
