#include "popd/observe/metrics_text.h"

#include <ctype.h>
#include <inttypes.h>

#include "popd/observe/facts.h"
#include "tests/unit/test_popd_fixture.h"

/* ---- a strict reader of the text format 0.0.4, written from its description ---- */

struct family {
	char name[80], type[16];
	size_t samples;
};

struct page {
	size_t n;
	struct family families[200];
};

static bool is_name(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!(islower((unsigned char)s[i]) || s[i] == '_' ||
		      (i > 0 && isdigit((unsigned char)s[i]))))
			return false;
	return len > 0;
}

/* The text after {name="value",...}; NULL when that is malformed. */
static const char *skip_labels(const char *p)
{
	if (*p++ != '{')
		return NULL;
	for (;;) {
		const char *eq = strchr(p, '=');
		if (!eq || !is_name(p, (size_t)(eq - p)) || eq[1] != '"')
			return NULL;
		for (p = eq + 2; *p && *p != '"'; p++)
			if (*p == '\\' && !strchr("\\\"n", *++p))
				return NULL;
		if (*p++ != '"')
			return NULL;
		if (*p == '}')
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

/* The family that a sample of this name belongs to must be the one announced last. */
static void check_sample(struct page *page, const char *line)
{
	size_t len = strcspn(line, "{ ");
	struct family *f = &page->families[page->n - 1];
	size_t base = strlen(f->name);
	char *end;

	assert_true(page->n > 0 && len >= base && strncmp(line, f->name, base) == 0);
	if (strcmp(f->type, "histogram") == 0)
		assert_true(strncmp(line + base, "_bucket", len - base) == 0 ||
			    strncmp(line + base, "_sum", len - base) == 0 ||
			    strncmp(line + base, "_count", len - base) == 0);
	else
		assert_int_equal(len, base);
	const char *p = line[len] == '{' ? skip_labels(line + len) : line + len;
	assert_non_null(p);
	assert_true(p[0] == ' ' && isdigit((unsigned char)p[1]));
	(void)strtod(p + 1, &end);
	assert_int_equal(*end, '\0');
	f->samples++;
}

static void check_head(struct page *page, const char *line)
{
	size_t len = strcspn(line + 7, " ");
	struct family *f;

	assert_true(is_name(line + 7, len) && line[7 + len] == ' ');
	if (strncmp(line, "# HELP ", 7) == 0) {
		f = &page->families[page->n++];
		*f = (struct family){ .samples = 0 };
		snprintf(f->name, sizeof(f->name), "%.*s", (int)len, line + 7);
		assert_true(strlen(line + 7 + len) > 8); /* it says something */
		for (size_t i = 0; i + 1 < page->n; i++)
			assert_string_not_equal(page->families[i].name, f->name);
		return;
	}
	f = &page->families[page->n - 1];
	assert_true(page->n > 0 && strncmp(line, "# TYPE ", 7) == 0 && f->samples == 0);
	assert_true(len == strlen(f->name) && strncmp(line + 7, f->name, len) == 0);
	snprintf(f->type, sizeof(f->type), "%s", line + 8 + len);
	assert_true(strcmp(f->type, "counter") == 0 || strcmp(f->type, "gauge") == 0 ||
		    strcmp(f->type, "histogram") == 0);
	bool total = strlen(f->name) > 6 && strcmp(f->name + strlen(f->name) - 6, "_total") == 0;
	assert_int_equal(total, strcmp(f->type, "counter") == 0);
}

static struct page check_page(const char *text)
{
	struct page page = { .n = 0 };
	char line[512];

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, "\n");
		assert_true(p[len] == '\n' && len < sizeof(line));
		memcpy(line, p, len);
		line[len] = '\0';
		if (line[0] == '#')
			check_head(&page, line);
		else if (len > 0)
			check_sample(&page, line);
		p += len + 1;
	}
	return page;
}

static const struct family *family_of(const struct page *page, const char *name)
{
	for (size_t i = 0; i < page->n; i++)
		if (strcmp(page->families[i].name, name) == 0)
			return &page->families[i];
	fail_msg("no family %s", name);
	return NULL;
}

/* ---- the PoP ---- */

static char text[METRICS_TEXT + 64 * METRICS_TEXT_WORKER + 1];

static struct facts *facts_of(unsigned workers)
{
	static struct facts f;

	f = (struct facts){ .pop = "demo01", .version = "1.2", .sha1 = "avx2", .workers = workers };
	return &f;
}

static const char *render(const struct facts *f, size_t size)
{
	struct wr w = wr_init(text, size);

	metrics_text_pop(&w, f);
	assert_true(wr_ok(&w));
	text[wr_len(&w)] = '\0';
	return text;
}

static void the_page_is_well_formed_and_has_every_name_of_the_lists(void **state)
{
	struct facts *f = facts_of(2);
	char line[200];

	(void)state;
	f->offloads[OFFLOAD_TUN_TSO] = OFFLOAD_ON;
	f->queues[0] = (struct worker_queue){ "tun", 5 };
	f->queues[1] = (struct worker_queue){ "ayiya", 6 };
	f->queue_count = 2;
	f->traffic.bytes_in = 77;
	f->traffic.sent = 5;
	f->traffic.rtt_sum_us = 1234567;
	f->traffic.rtt_max_us = 900;
	f->traffic.drops[DROP_HOP_LIMIT].count = 3;
	f->tunnels.by[TUNNEL_HEARTBEAT][VIEW_DOWN] = 8;
	f->feed.seq = 991;
	render(f, METRICS_TEXT + 2 * METRICS_TEXT_WORKER);
	struct page page = check_page(text);
	assert_int_equal(family_of(&page, "popd_drops_total")->samples, DROP__COUNT - 1);
	assert_int_equal(family_of(&page, "popd_rtt_min_seconds")->samples,
			 0); /* not zero, but none */
	assert_int_equal(family_of(&page, "popd_tunnels")->samples,
			 TUNNEL_TYPE__COUNT * VIEW_STATE__COUNT);
	assert_int_equal(family_of(&page, "popd_offload")->samples,
			 OFFLOAD__COUNT * OFFLOAD_STATE__COUNT);
	for (enum drop d = 1; d < DROP__COUNT; d++) {
		snprintf(line, sizeof(line), "popd_drops_total{reason=\"%s\"} ", drop_name(d));
		assert_non_null(strstr(text, line));
	}
	for (enum measure m = 0; m < MEASURE__COUNT; m++) {
		bool is_us = strcmp(measure_unit(m), "microseconds") == 0;
		bool is_probe = m == MEASURE_SENT || m == MEASURE_RECEIVED;
		int len = (int)strlen(measure_name(m)) - (is_us ? 3 : 0);
		snprintf(line, sizeof(line), "\n# HELP popd_%s%.*s%s%s %s\n",
			 is_probe ? "probes_" : "", len, measure_name(m), is_us ? "_seconds" : "",
			 measure_how(m) == MEASURE_SUM ? "_total" : "", measure_text(m));
		if (!strstr(text, line))
			fail_msg("missing: %s", line);
	}
	static const char *const lines[] = {
		"popd_info{version=\"1.2\",pop=\"demo01\"} 1\n",
		"popd_bytes_in_total 77\n",
		"popd_probes_sent_total 5\n",
		"popd_rtt_sum_seconds_total 1.234567\n",
		"popd_rtt_max_seconds 0.000900\n",
		"popd_drops_total{reason=\"hop-limit\"} 3\n",
		"popd_tunnels{type=\"heartbeat\",state=\"down\"} 8\n",
		"popd_offload{offload=\"tun_tso\",state=\"on\"} 1\n",
		"popd_offload{offload=\"tun_tso\",state=\"off\"} 0\n",
		"popd_sha1_engine_info{engine=\"avx2\"} 1\n",
		"popd_queue_overruns_total{queue=\"ayiya\"} 6\n",
		"popd_feed_sequence 991\n",
		"# TYPE popd_start_time_seconds gauge\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("missing: %s", lines[i]);
}

static void label_values_are_escaped(void **state)
{
	struct facts *f = facts_of(0);

	(void)state;
	f->pop = "a\\b\"c\nd";
	render(f, METRICS_TEXT);
	assert_non_null(strstr(text, "popd_info{version=\"1.2\",pop=\"a\\\\b\\\"c\\nd\"} 1\n"));
	check_page(text);
}

static void histograms_are_cumulative_and_end_with_all(void **state)
{
	struct facts *f = facts_of(2);

	(void)state;
	f->loads[1].packets.counts[0] = 4;
	f->loads[1].packets.counts[6] = 5;
	f->loads[1].packets.sum = 324;
	f->loads[1].us.counts[3] = 8;
	f->loads[1].us.counts[HISTOGRAM_BUCKETS - 1] = 1;
	f->loads[1].us.sum = 5000064;
	f->late_us.counts[0] = 2;
	f->late_us.sum = 1;
	render(f, METRICS_TEXT + 2 * METRICS_TEXT_WORKER);
	check_page(text);
	static const char *const lines[] = {
		"popd_batch_packets_bucket{worker=\"0\",le=\"+Inf\"} 0\n",
		"popd_batch_packets_bucket{worker=\"1\",le=\"1\"} 4\n",
		"popd_batch_packets_bucket{worker=\"1\",le=\"32\"} 4\n",
		"popd_batch_packets_bucket{worker=\"1\",le=\"64\"} 9\npopd_batch_packets_bucket{worker=\"1\",le=\"+Inf\"} 9\n",
		"popd_batch_packets_sum{worker=\"1\"} 324\npopd_batch_packets_count{worker=\"1\"} 9\n",
		"popd_batch_seconds_bucket{worker=\"1\",le=\"4e-06\"} 0\n",
		"popd_batch_seconds_bucket{worker=\"1\",le=\"8e-06\"} 8\n",
		"popd_batch_seconds_bucket{worker=\"1\",le=\"4.194304\"} 8\n",
		"popd_batch_seconds_bucket{worker=\"1\",le=\"+Inf\"} 9\n",
		"popd_batch_seconds_sum{worker=\"1\"} 5.000064\n",
		"popd_control_lateness_seconds_bucket{le=\"1e-06\"} 2\n",
		"popd_control_lateness_seconds_sum 0.000001\npopd_control_lateness_seconds_count 2\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(text, lines[i]))
			fail_msg("missing: %s", lines[i]);
}

static void the_largest_page_fits_its_room(void **state)
{
	struct facts *f = facts_of(TABLE_WORKERS);

	(void)state;
	/* every number as long as it can be */
	memset(&f->traffic, 0xff, sizeof(f->traffic));
	memset(&f->tunnels, 0xff, sizeof(f->tunnels));
	f->loaded_at = UINT32_MAX;
	f->feed = (struct pgfeed_status){ .seq = UINT64_MAX,
					  .changes = UINT64_MAX,
					  .bad_rows = UINT64_MAX };
	f->started = f->report_at = f->snapshot_at = UINT32_MAX;
	f->capacity = f->table_bytes = f->snapshot_bytes = UINT64_MAX;
	f->statistics_waiting = SIZE_MAX;
	memset(f->loads, 0xff, sizeof(f->loads));
	memset(&f->late_us, 0xff, sizeof(f->late_us));
	for (size_t i = 0; i < WORKER_QUEUES; i++)
		f->queues[i] = (struct worker_queue){ "heartbeat", UINT64_MAX };
	f->queue_count = WORKER_QUEUES;
	render(f, METRICS_TEXT + TABLE_WORKERS * METRICS_TEXT_WORKER);
	check_page(text);
	f->workers = 1;
	render(f, METRICS_TEXT + METRICS_TEXT_WORKER);
}

/* ---- tunnels ---- */

static const int64_t expiry = EXPIRY;

/* The whole output of the walk, read in buffers of `size` bytes. */
static char *walk(struct pop *p, size_t size)
{
	struct metrics_tunnels of = { p->table, (struct counters *const *)&p->counters, 1,
				      &expiry };
	struct metrics_walk w = { .family = 0 };
	char *all = calloc(1, 1), *buf = malloc(size); /* of exactly that size, for the sanitizer */
	size_t len = 0, n;

	assert_non_null(buf);
	while ((n = metrics_walk_next(&w, &of, mono(NOW), buf, size)) > 0) {
		assert_true(n <= size);
		all = realloc(all, len + n + 1);
		assert_non_null(all);
		memcpy(all + len, buf, n);
		len += n;
		all[len] = '\0';
	}
	free(buf);
	return all;
}

static void each_tunnel_has_its_series(void **state)
{
	struct pop p = pop_new();
	uint32_t slot = table_by_id(p.table, 1)->slot;

	(void)state;
	counters_in(p.counters, slot, 1, 1280);
	counters_echo_sent(p.counters, slot);
	counters_echo_received(p.counters, slot, 1500);
	count_drop(p.counters, DROP_AYIYA_SIGNATURE, slot, 1, 0, NOW);
	char *all = walk(&p, 16384);
	struct page page = check_page(all);
	assert_int_equal(page.n, METRICS_TUNNEL_FAMILIES);
	assert_int_equal(family_of(&page, "popd_tunnel_up")->samples, 6);
	assert_int_equal(family_of(&page, "popd_tunnel_packets_in_total")->samples, 6);
	assert_int_equal(family_of(&page, "popd_tunnel_rtt_min_seconds")->samples,
			 1); /* the others have no round trip yet */
	assert_int_equal(family_of(&page, "popd_tunnel_drops_total")->samples, 1);
	static const char *const lines[] = {
		"popd_tunnel_up{tunnel=\"T1\",type=\"ayiya\"} 1\n",
		"popd_tunnel_up{tunnel=\"T4\",type=\"ayiya\"} 0\n",
		"popd_tunnel_up{tunnel=\"T6\",type=\"static\"} 1\n",
		"popd_tunnel_bytes_in_total{tunnel=\"T1\"} 1280\n",
		"popd_tunnel_bytes_in_total{tunnel=\"T2\"} 0\n",
		"popd_tunnel_rtt_max_seconds{tunnel=\"T1\"} 0.001500\n",
		"popd_tunnel_probes_received_total{tunnel=\"T1\"} 1\n",
		"popd_tunnel_drops_total{tunnel=\"T1\",reason=\"ayiya-signature\"} 1\n",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (!strstr(all, lines[i]))
			fail_msg("missing: %s", lines[i]);
	free(all);
	pop_end(&p);
}

static void the_size_of_the_pieces_changes_nothing(void **state)
{
	struct pop p = pop_new();

	(void)state;
	for (enum drop d = 1; d < DROP__COUNT; d++) /* a family with many lines of one tunnel */
		count_drop(p.counters, d, table_by_id(p.table, 2)->slot, 2, 0, NOW);
	char *whole = walk(&p, 1 << 20);
	for (size_t size = METRICS_LINE; size < 4000; size += 37) {
		char *pieces = walk(&p, size);
		assert_string_equal(pieces, whole);
		free(pieces);
	}
	free(whole);
	pop_end(&p);
}

static void the_longest_lines_fit(void **state)
{
	struct metrics_tunnel t = { .id = INT32_MAX, .type = TUNNEL_HEARTBEAT, .up = true };
	char buf[METRICS_LINE];

	(void)state;
	memset(&t.sums, 0xff, sizeof(t.sums));
	for (size_t f = 0; f < METRICS_TUNNEL_FAMILIES; f++) {
		struct wr w = wr_init(buf, sizeof(buf));
		metrics_text_tunnel_head(&w, f);
		assert_true(wr_ok(&w));
		for (size_t part = 0; part < metrics_text_tunnel_parts(f); part++) {
			w = wr_init(buf, sizeof(buf));
			metrics_text_tunnel(&w, f, part, &t);
			assert_true(wr_ok(&w));
		}
	}
}

/* Long stretches without a tunnel: each call visits so many slots, and writes an empty line. */
static void a_gap_is_no_end_and_takes_no_long_call(void **state)
{
	enum { SLOTS = 3 * METRICS_WALK_SLOTS };
	static const uint8_t seed[16] = { 3 };
	struct pop p = pop_new();
	struct metrics_walk w = { .family = 0 };
	char buf[METRICS_LINE];
	size_t n, calls = 0, lines = 0;

	(void)state;
	struct table *t = table_create(SLOTS, 1, seed);
	struct counters *c = counters_create(SLOTS);
	for (uint32_t id = 1; id <= SLOTS; id++) {
		char net[40];
		snprintf(net, sizeof(net), "2001:db8:%x:%x::", id >> 16, id & 0xffff);
		assert_int_equal(table_set(t, conf_new(p.digest, id, TUNNEL_AYIYA, net, NULL)), 0);
	}
	for (uint32_t id = 1; id < SLOTS; id++)
		assert_true(table_delete(t, id));
	struct metrics_tunnels of = { t, &c, 1, &expiry };
	while ((n = metrics_walk_next(&w, &of, mono(NOW), buf, sizeof(buf))) > 0) {
		calls++;
		for (const char *at = buf; at < buf + n; at++)
			lines += strncmp(at, "popd_tunnel_up{", 15) == 0;
	}
	assert_int_equal(lines, 1);
	assert_true(calls + 1 >= METRICS_TUNNEL_FAMILIES * (SLOTS / METRICS_WALK_SLOTS));
	table_free(t);
	counters_free(c);
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_is_well_formed_and_has_every_name_of_the_lists),
		cmocka_unit_test(label_values_are_escaped),
		cmocka_unit_test(histograms_are_cumulative_and_end_with_all),
		cmocka_unit_test(the_largest_page_fits_its_room),
		cmocka_unit_test(each_tunnel_has_its_series),
		cmocka_unit_test(the_size_of_the_pieces_changes_nothing),
		cmocka_unit_test(the_longest_lines_fit),
		cmocka_unit_test(a_gap_is_no_end_and_takes_no_long_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
