/*
 * webd's view of the PoPs while the allocator fails at each call in turn: it is read again as soon
 * as there is memory. Against a PostgreSQL with stand-ins for the functions that it calls.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ev.h>
#include <stdio.h>

#include "lib/log.h"
#include "tests/unit/allocator.h"
#include "tests/unit/clock.h"
#include "tests/unit/postgres.h"
#include "web/io/pgview.h"
#include "web/io/settings.h"
#include "web/page/view.h"

enum { SWEEP_MAX = 1000 };

static const char schema[] =
	"CREATE SCHEMA api;"
	"CREATE FUNCTION api.web_pop_status() RETURNS TABLE (name text, city text, country text, "
	"  isp_name text, isp_website text, ipv4 text, ipv6 text, version text, state text, since "
	"text, "
	"  last_report text, configured int, up int, active int, generated text, reason text) LANGUAGE sql AS "
	"$$ "
	"  SELECT n, 'Amsterdam', 'NL', 'Example', '', '192.0.2.1', '2001:db8::1', '1.0', 'up', "
	"  '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z', 3, 2, 1, '2026-01-02T00:00:01Z', "
	"  NULL "
	"  FROM unnest(ARRAY['nlams01', 'nlams02']) n $$;"
	"CREATE FUNCTION api.web_pop_history(text, int) RETURNS TABLE (state text, since text, "
	"until text, reason text) "
	"  LANGUAGE sql AS $$ SELECT 'up', '2026-01-01T00:00:00Z', NULL, NULL $$;";

static struct ev_loop *loop;

static int create_all(void **state)
{
	log_set_level(LOG_LEVEL_ERROR);
	ev_set_allocator(allocator_spare);
	loop = ev_loop_new(EVFLAG_AUTO);
	if (!loop || postgres_create(state) != 0)
		return -1;
	postgres_sql(schema);
	return 0;
}

static int remove_all(void **state)
{
	ev_loop_destroy(loop);
	return postgres_remove(state);
}

static bool is_complete(void *ctx)
{
	struct page_now now = { .view = NULL };

	pgview_fill(ctx, &now);
	return now.view && now.view->n == 2 && !now.away &&
	       now.history(now.history_ctx, "nlams01") && now.history(now.history_ctx, "nlams02");
}

/* The first round has ended; one that failed with -ERR_BUSY does not show it. */
static bool is_over(void *ctx)
{
	struct page_now now = { .view = NULL };

	pgview_fill(ctx, &now);
	return now.away || is_complete(ctx);
}

static void view_is_read_again_after_no_memory(void **state)
{
	char conninfo[POSTGRES_FOLDER * 2];
	struct settings settings = { .conninfo = conninfo,
				     .connect_timeout = 1000,
				     .query_timeout = 1000,
				     .refresh = 1,
				     .idle_refresh = 1 };
	bool was_reached = true;
	unsigned n;

	(void)state;
	snprintf(conninfo, sizeof(conninfo), "%s", postgres_conninfo());
	for (n = 1; was_reached && n < SWEEP_MAX; n++) {
		allocator_fail(n, ALLOCATOR_FAIL_ONE);
		struct pgview *v = pgview_create(loop, &settings);
		if (v)
			(void)postgres_wait(loop, is_over, v, .4);
		was_reached = allocator_restore();
		/* A timeout of 1000 s comes first where libpq waits for bytes that it dropped. */
		for (int i = 0; v && i < 20 && !is_complete(v); i++) {
			clock_skip(i % 4 == 3 ? 1001. : 6.);
			(void)postgres_wait(loop, is_complete, v, .2);
		}
		if (v && !is_complete(v))
			fail_msg("the view was never read after allocation %u failed", n);
		pgview_free(v);
	}
	print_message("  a view and its histories: %u allocations\n", n - 2);
	assert_in_range(n, 60, SWEEP_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(view_is_read_again_after_no_memory),
	};
	return cmocka_run_group_tests(tests, create_all, remove_all);
}
