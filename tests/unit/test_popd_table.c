/* The table against a naive list under random changes, the effects of a change, when slots become
 * free, and the memory that a tunnel takes. */
#include "popd/core/table.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/pages.h"
#include "popd/core/path.h"
#include "tests/unit/test_popd_fixture.h"

static const uint8_t zero_seed[16];
static uint64_t seed = 88172645463325252;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % below);
}

static struct digest_ctx *digest_ctx;

static int group_start(void **state)
{
	(void)state;
	digest_ctx = digest_ctx_create();
	return digest_init() != 0 || !digest_ctx;
}

static int group_end(void **state)
{
	(void)state;
	digest_ctx_free(digest_ctx);
	return 0;
}

/* ---- the naive list ---- */

enum { IDS = 40, ROUTES = 6 };

struct entry {
	bool used;
	size_t count;
	struct prefix6 prefixes[ROUTES + 1]; /* 0: the tunnel's own */
};

static bool covers(const struct prefix6 *p, const struct ip6 *ip)
{
	for (unsigned i = 0; i < p->len; i++)
		if ((p->addr.b[i / 8] ^ ip->b[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

static uint32_t naive_lookup(const struct entry *list, const struct ip6 *ip, enum route_kind *kind)
{
	int best = -1;
	uint32_t id = 0;

	*kind = ROUTE_NONE;
	for (uint32_t i = 0; i < IDS; i++)
		for (size_t k = 0; list[i].used && k < list[i].count; k++)
			if (covers(&list[i].prefixes[k], ip) && list[i].prefixes[k].len > best) {
				best = list[i].prefixes[k].len;
				id = i + 1;
				*kind = k == 0 ? ROUTE_TUNNEL_NET : ROUTE_SUBNET;
			}
	return id;
}

/* Few distinct prefixes, nested and adjacent, so that they conflict, cover one another and collide in
 * the hash. */
static struct prefix6 any_prefix(bool net)
{
	static const uint8_t lens[] = { 0,  16, 32, 40, 47, 48, 48, 52,  56,
					60, 63, 64, 64, 65, 80, 96, 127, 128 };
	struct prefix6 p = { .len = net ? 64 : lens[any(ARRAY_LEN(lens))] };

	p.addr = (struct ip6){ { 0x20, 0x01, 0x0d, 0xb8 } };
	for (size_t i = 4; i < 16; i++)
		p.addr.b[i] = (uint8_t)(any(3) ? 0 : any(4) ? any(3) : any(256));
	p.addr = ip6_mask(&p.addr, p.len);
	return p;
}

static bool has(const struct entry *e, const struct prefix6 *p)
{
	for (size_t i = 0; e->used && i < e->count; i++)
		if (prefix6_equal(&e->prefixes[i], p))
			return true;
	return false;
}

/* What table_set must return for `new` as tunnel `self`. */
static int naive_verdict(const struct entry *list, uint32_t self, const struct entry *new)
{
	for (size_t i = 0; i < new->count; i++) {
		for (size_t k = 0; k < i; k++)
			if (prefix6_equal(&new->prefixes[i], &new->prefixes[k]))
				return -ERR_EXISTS;
		for (uint32_t other = 0; other < IDS; other++)
			if (other != self && has(&list[other], &new->prefixes[i]))
				return -ERR_EXISTS;
	}
	return 0;
}

static struct tunnel_conf *conf_of_entry(uint32_t id, const struct entry *e)
{
	struct tunnel_conf *c = tunnel_conf_create(e->count - 1);

	assert_non_null(c);
	c->id = id;
	c->mtu = 1280;
	c->net = e->prefixes[0].addr;
	memcpy(c->routes, e->prefixes + 1, (e->count - 1) * sizeof(c->routes[0]));
	return c;
}

static void change(struct table *t, struct entry *list)
{
	uint32_t i = any(IDS);
	struct entry new = { .used = true, .count = 1 + any(ROUTES + 1) };

	if (any(4) == 0) {
		assert_int_equal(table_delete(t, i + 1), list[i].used);
		list[i].used = false;
		return;
	}
	for (size_t k = 0; k < new.count; k++)
		new.prefixes[k] = any_prefix(k == 0);
	if (list[i].used && any(2)) /* keep some of what it had, in another order */
		for (size_t k = 1; k < new.count &&k < list[i].count; k++)
			new.prefixes[new.count - k] = list[i].prefixes[k];
	if (list[i].used && any(2))
		new.prefixes[0] = list[i].prefixes[0];
	int want = naive_verdict(list, i, &new);
	assert_int_equal(set_or_free(t, conf_of_entry(i + 1, &new)), want);
	if (want == 0)
		list[i] = new;
}

static void check_address(const struct table *t, const struct entry *list, const struct ip6 *ip,
			  const struct route *batch)
{
	struct route r = table_lookup(t, ip);
	enum route_kind kind;
	uint32_t id = naive_lookup(list, ip, &kind);

	assert_int_equal(r.kind, kind);
	assert_int_equal(r.tunnel ? r.conf->id : 0, id);
	assert_ptr_equal(batch->tunnel, r.tunnel);
	assert_ptr_equal(batch->conf, r.conf);
	assert_int_equal(batch->kind, r.kind);
}

static void lookups_find_what_a_naive_list_finds(void **state)
{
	static struct entry list[IDS];
	struct table *t = table_create(IDS + 8, 1, zero_seed);

	(void)state;
	for (int round = 0; round < 4000; round++) {
		struct ip6 addresses[70];
		const struct ip6 *ptrs[70];
		struct route routes[70];
		change(t, list);
		for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
			addresses[i] = any_prefix(false).addr;
			if (any(2))
				addresses[i].b[15] ^= (uint8_t)any(4);
			ptrs[i] = &addresses[i];
		}
		table_lookup_batch(t, ptrs, ARRAY_LEN(ptrs), routes);
		for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
			check_address(t, list, &addresses[i], &routes[i]);
		if (any(3) == 0)
			table_reclaim(t);
	}
	size_t used = 0;
	for (uint32_t i = 0; i < IDS; i++)
		used += list[i].used;
	assert_int_equal(table_count(t), used);
	table_free(t);
}

static void no_address_has_no_route(void **state)
{
	struct table *t = table_create(4, 1, zero_seed);
	const struct ip6 *none[3] = { NULL, NULL, NULL };
	struct route routes[3];

	(void)state;
	table_lookup_batch(t, none, 3, routes);
	for (size_t i = 0; i < 3; i++)
		assert_true(routes[i].kind == ROUTE_NONE && !routes[i].tunnel);
	table_free(t);
}

/* ---- changes ---- */

static void a_refused_change_leaves_everything_as_it_was(void **state)
{
	struct pop p = pop_new();
	const struct tunnel_conf *before = conf_of_tunnel(table_by_id(p.table, 1));

	(void)state;
	static const char *const taken[] = { "2001:db8:3001::/48", "2001:db8:3009::/48",
					     "2001:db8:3003::/48", NULL };
	assert_int_equal(set_or_free(p.table, conf_new(p.digest, 1, TUNNEL_AYIYA,
						       "2001:db8:2ff:1::", taken)),
			 -ERR_EXISTS);
	assert_ptr_equal(conf_of_tunnel(table_by_id(p.table, 1)), before);
	struct ip6 ip = addr("2001:db8:3009::1");
	assert_int_equal(table_lookup(p.table, &ip).kind, ROUTE_NONE);
	ip = addr("2001:db8:3001::1");
	assert_ptr_equal(table_lookup(p.table, &ip).conf, before);
	static const char *const twice[] = { "2001:db8:3009::/48", "2001:db8:3009::/48", NULL };
	assert_int_equal(set_or_free(p.table, conf_new(p.digest, 9, TUNNEL_AYIYA,
						       "2001:db8:2ff:9::", twice)),
			 -ERR_EXISTS);
	static const char *const own_net[] = { "2001:db8:2ff:9::/64", NULL };
	assert_int_equal(set_or_free(p.table, conf_new(p.digest, 9, TUNNEL_AYIYA,
						       "2001:db8:2ff:9::", own_net)),
			 -ERR_EXISTS);
	assert_null(table_by_id(p.table, 9));
	pop_end(&p);
}

static void endpoint_and_epoch_survive_a_change_unless_the_type_changes(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);
	uint64_t endpoint = atomic_load(&t->endpoint);

	(void)state;
	struct tunnel_conf *c = conf_new(p.digest, 1, TUNNEL_AYIYA, "2001:db8:2ff:11::", NULL);
	c->mtu = 9000;
	assert_ptr_equal(pop_add(&p, c), t);
	assert_int_equal(conf_of_tunnel(t)->mtu, 1480);
	assert_true(atomic_load(&t->endpoint) == endpoint && atomic_load(&t->newest) == NOW - 10);
	pop_add(&p, conf_new(p.digest, 1, TUNNEL_HEARTBEAT, "2001:db8:2ff:11::", NULL));
	assert_true(atomic_load(&t->endpoint) == 0 && atomic_load(&t->newest) == 0 &&
		    atomic_load(&t->heard) == 0);
	pop_end(&p);
}

static void a_static_endpoint_is_what_the_configuration_says(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 3);

	(void)state;
	assert_true(atomic_load(&t->endpoint) == endpoint_pack(at("203.0.113.3", 0), 0));
	atomic_store(&t->path, path_pack(1400, mono(NOW)));
	struct tunnel_conf *c = conf_new(p.digest, 3, TUNNEL_STATIC, "2001:db8:2ff:3::", NULL);
	c->static_endpoint = addr4("203.0.113.33");
	pop_add(&p, c);
	assert_true(atomic_load(&t->endpoint) == endpoint_pack(at("203.0.113.33", 0), 0));
	assert_true(atomic_load(&t->path) == 0);
	assert_true(restore(p.table, 3, endpoint_pack(at("192.0.2.66", 0), 0), NOW, NOW));
	assert_true(atomic_load(&t->endpoint) == endpoint_pack(at("203.0.113.33", 0), 0));
	pop_end(&p);
}

static void only_what_is_possible_and_newer_is_restored(void **state)
{
	static const struct {
		const char *name, *address;
		uint32_t id;
		uint16_t port;
		unsigned flags;
		int newest;
		bool taken;
	} rows[] = {
		{ "newer", "192.0.2.50", 1, 50, ENDPOINT_SHA256, 0, true },
		{ "as new", "192.0.2.50", 1, 50, 0, -10, true },
		{ "older", "192.0.2.50", 1, 50, 0, -11, false },
		{ "AYIYA without a port", "192.0.2.50", 1, 0, 0, 0, false },
		{ "heartbeat with a port", "192.0.2.50", 2, 50, 0, 0, false },
		{ "heartbeat with a method", "192.0.2.50", 2, 0, 1, 0, false },
		{ "heartbeat that answered", "192.0.2.50", 2, 0, ENDPOINT_ANSWERED, 0, true },
		{ "AYIYA that answered", "192.0.2.50", 1, 50, 3, 0, true },
		{ "heartbeat", "192.0.2.50", 2, 0, 0, 0, true },
		{ "martian", "127.0.0.1", 1, 50, 0, 0, false },
		{ "unknown flag", "192.0.2.50", 1, 50, 4, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pop p = pop_new();
		uint64_t word = endpoint_pack(at(rows[i].address, rows[i].port), rows[i].flags);
		assert_true(
			restore(p.table, rows[i].id, word, (uint32_t)(NOW + rows[i].newest), NOW));
		if ((atomic_load(&table_by_id(p.table, rows[i].id)->endpoint) == word) !=
		    rows[i].taken)
			fail_msg("%s", rows[i].name);
		assert_false(restore(p.table, 777, word, NOW, NOW));
		pop_end(&p);
	}
}

/* ---- slots and grace ---- */

static uint32_t freed[64];
static size_t freed_count;

static void note_freed(void *arg, uint32_t slot)
{
	(void)arg;
	freed[freed_count++] = slot;
}

static void a_slot_becomes_free_when_no_worker_can_use_it(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);
	uint32_t slot = t->slot;
	struct ip6 ip = addr("2001:db8:2ff:1::2");

	(void)state;
	freed_count = 0;
	table_on_free(p.table, note_freed, NULL);
	table_worker_enter(p.table, 0);
	const struct tunnel_conf *c = table_lookup(p.table, &ip).conf;
	assert_true(table_delete(p.table, 1));
	assert_int_equal(table_lookup(p.table, &ip).kind, ROUTE_NONE);
	table_reclaim(p.table);
	assert_int_equal(freed_count, 0);
	assert_int_equal(c->id, 1); /* a sanitizer would see it freed */
	table_worker_leave(p.table, 0);
	table_worker_enter(p.table, 0); /* it entered later and does not use the slot */
	table_reclaim(p.table);
	assert_int_equal(freed_count, 1);
	assert_int_equal(freed[0], slot);
	assert_true(atomic_load(&t->endpoint) == 0 && atomic_load(&t->newest) == 0);
	table_worker_leave(p.table, 0);
	assert_int_equal(
		pop_add(&p, conf_new(p.digest, 20, TUNNEL_AYIYA, "2001:db8:2ff:20::", NULL))->slot,
		slot);
	pop_end(&p);
}

static void a_refused_configuration_stays_the_callers(void **state)
{
	static const char *const taken[] = { "2001:db8:3009::/48", "2001:db8:3001::/48", NULL };
	struct pop p = pop_new();
	struct tunnel_conf *c = conf_new(p.digest, 9, TUNNEL_AYIYA, "2001:db8:2ff:9::", taken);

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(table_set(p.table, c), -ERR_EXISTS);
		assert_int_equal(c->id, 9);
		assert_int_equal(c->route_count, 2);
		assert_string_equal(c->secret, SECRET);
	}
	assert_true(table_delete(p.table, 1)); /* which had the second route */
	assert_int_equal(table_set(p.table, c), 0);
	assert_ptr_equal(conf_of_tunnel(table_by_id(p.table, 9)), c);
	pop_end(&p);
}

static void a_full_table_refuses_until_a_tunnel_is_deleted(void **state)
{
	struct table *t = table_create(3, 1, zero_seed);
	char net[IP6_TEXT];

	(void)state;
	for (uint32_t id = 1; id <= 5; id++) {
		snprintf(net, sizeof(net), "2001:db8:%x::", id);
		assert_int_equal(set_or_free(t, conf_new(digest_ctx, id, TUNNEL_AYIYA, net, NULL)),
				 id <= 3 ? 0 : -ERR_NOMEM);
	}
	struct ip6 ip = addr("2001:db8:4::2");
	assert_int_equal(table_lookup(t, &ip).kind, ROUTE_NONE);
	assert_true(table_delete(t, 2));
	assert_int_equal(table_set(t, conf_new(digest_ctx, 9, TUNNEL_AYIYA, "2001:db8:9::", NULL)),
			 0);
	assert_int_equal(table_count(t), 3);
	table_free(t);
}

static void ids_are_found_after_any_order_of_additions_and_deletions(void **state)
{
	enum { N = 500 };
	static bool there[N];
	struct table *t = table_create(N, 1, zero_seed);
	char net[IP6_TEXT];

	(void)state;
	for (int round = 0; round < 5000; round++) {
		uint32_t i = any(N), id = i * 65536 + 1; /* with equal low bits */
		if (there[i]) {
			assert_true(table_delete(t, id));
		} else {
			snprintf(net, sizeof(net), "2001:db8:%x::", i);
			assert_int_equal(
				table_set(t, conf_new(digest_ctx, id, TUNNEL_AYIYA, net, NULL)), 0);
		}
		there[i] = !there[i];
		uint32_t probe = any(N);
		const struct tunnel *found = table_by_id(t, probe * 65536 + 1);
		assert_int_equal(found != NULL, there[probe]);
		if (found)
			assert_int_equal(conf_of_tunnel(found)->id, probe * 65536 + 1);
	}
	table_free(t);
}

/* ---- the PoP ---- */

static void the_pops_own_prefixes_and_addresses_are_known(void **state)
{
	static const struct {
		const char *address;
		bool owns, is;
	} rows[] = {
		{ "2001:db8:2ff::1", true, false },       { "2001:db8:2ff:ffff::1", true, true },
		{ "2001:db8:2ff:ffff::2", true, false },  { "2001:db8:2ff:7fff::1", true, false },
		{ "2001:db8:300:ffff::1", true, true },   { "2001:db8:3000:ffff::1", true, false },
		{ "2001:db8:30ff::1", true, false },      { "2001:db8:3100::1", false, false },
		{ "2001:db8:2fe:ffff::1", false, false }, { "2001:db8:f00::53", false, true },
	};
	struct pop p = pop_new();
	struct pop_conf conf = *table_pop(p.table);

	(void)state;
	conf.own = addr("2001:db8:f00::53");
	conf.prefix_count = 3;
	conf.tunnel_prefix_count = 2;
	conf.prefixes[2] = conf.prefixes[1];
	conf.prefixes[1] = prefix("2001:db8:300::/48");
	assert_int_equal(table_set_pop(p.table, &conf), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ip6 ip = addr(rows[i].address);
		if (pop_owns(table_pop(p.table), &ip) != rows[i].owns ||
		    pop_is(table_pop(p.table), &ip) != rows[i].is)
			fail_msg("%s", rows[i].address);
	}
	for (int i = 0; i < 5; i++) /* published again and again */
		assert_int_equal(table_set_pop(p.table, &conf), 0);
	pop_end(&p);
}

/* ---- a worker that stands still ---- */

static void count_freed(void *arg, uint32_t slot)
{
	(void)slot;
	++*(unsigned *)arg;
}

static void changes_do_not_wait_for_a_worker_that_stands_inside_its_batch(void **state)
{
	struct pop p = pop_new();
	struct pop_conf conf = *table_pop(p.table);
	unsigned slots_freed = 0;

	(void)state;
	table_on_free(p.table, count_freed, &slots_freed);
	table_worker_enter(p.table, 0);
	const struct pop_conf *seen = table_pop(p.table);
	const struct tunnel_conf *tunnel = conf_of_tunnel(table_by_id(p.table, 1));
	for (uint32_t i = 1; i <= 5; i++) {
		conf.ipv4.v = i;
		assert_int_equal(table_set_pop(p.table, &conf), 0);
		assert_int_equal(table_pop(p.table)->ipv4.v, i);
		table_reclaim(p.table);
	}
	assert_true(table_delete(p.table, 1));
	table_reclaim(p.table);
	assert_int_equal(seen->ipv4.v, POP_IPV4); /* what it uses is still there */
	assert_int_equal(tunnel->id, 1);
	assert_int_equal(slots_freed, 0);
	table_worker_leave(p.table, 0);
	table_reclaim(p.table);
	assert_int_equal(slots_freed, 1);
	pop_end(&p);
}

/* ---- size ---- */

static size_t resident(void)
{
	unsigned long total, pages;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &total, &pages), 2);
	fclose(f);
	return pages * 4096;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void touch_counters(struct counters *c, struct table *t, bool drops)
{
	for (uint32_t slot = 0; slot < table_slots_used(t); slot++) {
		counters_in(c, slot, 1, 1280);
		counters_out(c, slot, 1280);
		if (drops)
			count_drop(c, DROP_LINK_LOCAL, slot, 1, 0, NOW);
	}
}

/* True when the kernel may back the mapping at `p` with huge pages. */
static bool may_be_huge(const void *p)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[4096];
	unsigned long from, to;
	bool here = false, huge = true;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			here = from <= (uintptr_t)p && (uintptr_t)p < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			huge = !strstr(line, " nh");
	}
	fclose(f);
	return huge;
}

static void sparse_arrays_are_in_small_pages(void **state)
{
	size_t size = 64 << 20;
	void *p = pages_alloc(1, size);

	(void)state;
	assert_non_null(p);
	if (access("/sys/kernel/mm/transparent_hugepage", F_OK) == 0)
		assert_false(may_be_huge(p));
	pages_free(p, 1, size);
}

static void ten_thousand_tunnels_load_quickly_and_take_less_than_a_kibibyte_each(void **state)
{
	enum { N = 10000 };
	size_t before = resident();
	double start = seconds();
	struct table *t = table_create(
		1 << 20, 2,
		zero_seed); /* a capacity of a million takes no memory until it is used */
	struct counters *workers[2] = { counters_create(1 << 20), counters_create(1 << 20) };

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		char net[IP6_TEXT], routed[PREFIX6_TEXT];
		snprintf(net, sizeof(net), "2001:db8:2ff:%x::", i);
		snprintf(routed, sizeof(routed), "2001:db8:2ff:%x::/64", i | 0x8000);
		assert_int_equal(table_set(t, conf_new(digest_ctx, i + 1, TUNNEL_AYIYA, net,
						       (const char *const[]){ routed, NULL })),
				 0);
	}
	double took = seconds() - start;
	/* Clients talk to one worker, which drops some of their chatter; what comes for them may
	 * come by both. */
	touch_counters(workers[0], t, true);
	touch_counters(workers[1], t, false);
	size_t usual = resident() - before;
	touch_counters(workers[1], t, true);
	size_t bytes = resident() - before;
	print_message(
		"%d tunnels: %.3f s; bytes each: %zu usually, %zu at most, of which table %zu\n", N,
		took, usual / N, bytes / N, table_memory(t) / N);
#ifndef __SANITIZE_ADDRESS__
	assert_true(bytes / N < 1024);
#endif
	/* BROKER_SLOW: how often slower the machine is (an emulated one) */
	assert_true(took < 2 * (getenv("BROKER_SLOW") ? atof(getenv("BROKER_SLOW")) : 1));
	counters_free(workers[0]);
	counters_free(workers[1]);
	table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_do_not_wait_for_a_worker_that_stands_inside_its_batch),
		cmocka_unit_test(
			ten_thousand_tunnels_load_quickly_and_take_less_than_a_kibibyte_each),
		cmocka_unit_test(sparse_arrays_are_in_small_pages),
		cmocka_unit_test(lookups_find_what_a_naive_list_finds),
		cmocka_unit_test(no_address_has_no_route),
		cmocka_unit_test(a_refused_change_leaves_everything_as_it_was),
		cmocka_unit_test(endpoint_and_epoch_survive_a_change_unless_the_type_changes),
		cmocka_unit_test(a_static_endpoint_is_what_the_configuration_says),
		cmocka_unit_test(only_what_is_possible_and_newer_is_restored),
		cmocka_unit_test(a_slot_becomes_free_when_no_worker_can_use_it),
		cmocka_unit_test(a_refused_configuration_stays_the_callers),
		cmocka_unit_test(a_full_table_refuses_until_a_tunnel_is_deleted),
		cmocka_unit_test(ids_are_found_after_any_order_of_additions_and_deletions),
		cmocka_unit_test(the_pops_own_prefixes_and_addresses_are_known),
	};
	return cmocka_run_group_tests(tests, group_start, group_end);
}
