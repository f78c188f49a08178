/* PoPs for the tests of pages: a view made the way io/pgview makes one, and a moment to look at it.
 */
#ifndef TESTS_UNIT_TEST_WEBD_FIXTURE_H
#define TESTS_UNIT_TEST_WEBD_FIXTURE_H

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "web/page/view.h"

enum { FIXTURE_GENERATED = 1795440312 }; /* 2026-11-23T13:25:12Z */

static const struct pop_view fixture_up = {
	.name = "nlams01",
	.city = "Amsterdam",
	.country = "The Netherlands",
	.isp_name = "Example Networks",
	.isp_website = "https://example.net/",
	.ipv4 = "192.0.2.1",
	.ipv6 = "2001:db8:100::1",
	.version = "0.1.0",
	.reason = "",
	.state = POP_UP,
	.since = { FIXTURE_GENERATED - 3 * 86400 },
	.configured = 10240,
	.up = 655,
	.active = 401,
	.last_report = { FIXTURE_GENERATED - 4 },
};
static const struct pop_view fixture_down = {
	.name = "uschi02",
	.city = "Chicago",
	.country = "",
	.isp_name = "",
	.isp_website = "",
	.ipv4 = "198.51.100.7",
	.ipv6 = "2001:db8:200::1",
	.version = "0.1.0",
	.reason = "",
	.state = POP_DOWN,
	.since = { FIXTURE_GENERATED - 3600 },
	.configured = 7,
	.last_report = { FIXTURE_GENERATED - 3645 },
};
static const struct pop_view fixture_disabled = {
	.name = "dedus01",
	.city = "",
	.country = "Germany",
	.isp_name = "Example",
	.isp_website = "",
	.ipv4 = "203.0.113.99",
	.ipv6 = "2001:db8:300::1",
	.version = "",
	.reason = "never reported",
	.state = POP_DISABLED,
	.since = { FIXTURE_GENERATED - 60 },
};
/* Every text tries to be markup, and none is of the form the database promises. */
#define FIXTURE_HOSTILE "\"'><script>alert(1)</script>&\x01\xff\xc0\xaf"
static const struct pop_view fixture_hostile = {
	.name = "x" FIXTURE_HOSTILE,
	.city = FIXTURE_HOSTILE,
	.country = FIXTURE_HOSTILE,
	.isp_name = FIXTURE_HOSTILE,
	.isp_website = "javascript:alert(1)",
	.ipv4 = FIXTURE_HOSTILE,
	.ipv6 = FIXTURE_HOSTILE,
	.version = FIXTURE_HOSTILE,
	.reason = FIXTURE_HOSTILE,
	.state = POP_UP,
	.since = { FIXTURE_GENERATED + 100 },
	.configured = -1,
	.up = INT64_MAX,
	.active = INT64_MIN,
	.last_report = { FIXTURE_GENERATED + 1000000 },
};

static inline struct status_view *fixture_view(const struct pop_view *const *pops, size_t n)
{
	struct status_view *view = status_view_create(n, n * 1024);
	if (!view)
		abort();
	view->generated.s = FIXTURE_GENERATED;
	for (size_t i = 0; i < n; i++) {
		const char **const texts[] = { &view->pops[i].name,        &view->pops[i].city,
					       &view->pops[i].country,     &view->pops[i].isp_name,
					       &view->pops[i].isp_website, &view->pops[i].ipv4,
					       &view->pops[i].ipv6,        &view->pops[i].version,
					       &view->pops[i].reason };
		view->pops[i] = *pops[i];
		for (size_t t = 0; t < ARRAY_LEN(texts); t++)
			*texts[t] = status_view_text(view, *texts[t]);
	}
	return view;
}

/* The four of them. */
static inline struct status_view *fixture_view_all(void)
{
	const struct pop_view *const pops[] = { &fixture_disabled, &fixture_up, &fixture_down,
						&fixture_hostile };
	return fixture_view(pops, ARRAY_LEN(pops));
}

static inline const struct history_view *fixture_no_history(void *ctx, const char *pop)
{
	(void)ctx;
	(void)pop;
	return NULL;
}

static const struct site fixture_site = { .title = "Test <broker>",
					  .url = "https://broker.example",
					  .style_url = "/static/style.css?v=1" };

static inline struct page_now fixture_now(const struct status_view *view)
{
	return (struct page_now){ .site = &fixture_site,
				  .view = view,
				  .now = { FIXTURE_GENERATED + 1 },
				  .history = fixture_no_history };
}

#endif
