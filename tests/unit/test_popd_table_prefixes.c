/* A copy of the prefixes that table_on_prefix keeps is right after every change, and a table may
 * use borrowed memory. */
#include "popd/core/table.h"

#include "lib/err.h"
#include "tests/unit/test_popd_fixture.h"

static const uint8_t zero_seed[16];
static uint64_t seed = 0x853c49e6748fea9b;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % below);
}

enum { IDS = 12, ROUTES = 4, COPY = 256 };

struct copy {
	size_t n;
	struct table_prefix list[COPY];
};

static struct table_prefix *find(struct copy *c, const struct prefix6 *p)
{
	for (size_t i = 0; i < c->n; i++)
		if (prefix6_equal(&c->list[i].prefix, p))
			return &c->list[i];
	return NULL;
}

static void note(void *arg, const struct table_prefix *p, enum table_prefix_change change)
{
	struct copy *c = arg;
	struct table_prefix *old = find(c, &p->prefix);

	switch (change) {
	case PREFIX_ADDED:
		assert_null(old);
		assert_true(c->n < COPY);
		c->list[c->n++] = *p;
		break;
	case PREFIX_REMOVED:
		assert_non_null(old);
		assert_int_equal(old->slot, p->slot);
		assert_int_equal(old->id, p->id);
		*old = c->list[--c->n];
		break;
	case PREFIX_CHANGED:
		assert_non_null(old);
		assert_int_equal(old->slot, p->slot);
		assert_true(old->is_net != p->is_net);
		*old = *p;
		break;
	}
}

static void check_one(struct copy *copy, const struct tunnel *t, const struct tunnel_conf *c,
		      struct prefix6 p, bool net)
{
	const struct table_prefix *there = find(copy, &p);

	assert_non_null(there);
	assert_int_equal(there->slot, t->slot);
	assert_int_equal(there->id, c->id);
	assert_int_equal(there->is_net, net);
}

static void check_copy(struct table *t, struct copy *copy)
{
	size_t n = 0;

	for (size_t i = 0; i < table_slots_used(t); i++) {
		const struct tunnel *tunnel = table_slot(t, i);
		const struct tunnel_conf *c = conf_of_tunnel(tunnel);
		if (!c)
			continue;
		check_one(copy, tunnel, c, (struct prefix6){ c->net, 64 }, true);
		for (size_t k = 0; k < c->route_count; k++)
			check_one(copy, tunnel, c, c->routes[k], false);
		n += c->route_count + 1u;
	}
	assert_int_equal(copy->n, n);
}

/* Few prefixes, so that they move between tunnels, and a /64 is now a tunnel's own, now routed.
 */
static struct prefix6 any_prefix(bool net)
{
	struct prefix6 p = { .addr = addr("2001:db8::"),
			     .len = net || any(2) ? 64 : (uint8_t)(any(2) ? 48 : 128) };

	p.addr.b[7] = (uint8_t)any(24);
	p.addr = ip6_mask(&p.addr, p.len);
	return p;
}

static void change(struct table *t)
{
	uint32_t id = 1 + any(IDS);

	if (any(3) == 0) {
		(void)table_delete(t, id);
		return;
	}
	struct tunnel_conf *c = tunnel_conf_create(any(ROUTES));
	assert_non_null(c);
	c->id = id;
	c->net = any_prefix(true).addr;
	for (size_t i = 0; i < c->route_count; i++)
		c->routes[i] = any_prefix(false);
	int err = set_or_free(t, c);
	assert_true(err == 0 || err == -ERR_EXISTS);
}

static void a_copy_follows_every_change(void **state)
{
	struct table *t = table_create(IDS + 4, 1, zero_seed);
	static struct copy copy;

	(void)state;
	for (int i = 0; i < 200; i++)
		change(t);
	table_on_prefix(t, note, &copy);
	check_copy(t, &copy);
	for (int round = 0; round < 20000; round++) {
		change(t);
		check_copy(t, &copy);
		if (any(3) == 0)
			table_reclaim(t);
	}
	table_free(t);
}

static void null_ends_the_calls(void **state)
{
	struct table *t = table_create(IDS, 1, zero_seed);
	static struct copy copy;

	(void)state;
	table_on_prefix(t, note, &copy);
	table_on_prefix(t, NULL, NULL);
	for (int i = 0; i < 100; i++)
		change(t);
	assert_int_equal(copy.n, 0);
	table_free(t);
}

static void a_table_in_borrowed_memory_leaves_it(void **state)
{
	struct tunnel *memory = aligned_alloc(64, IDS * sizeof(*memory));

	(void)state;
	assert_non_null(memory);
	memset(memory, 0, IDS * sizeof(*memory));
	struct table *t = table_create_in(memory, IDS, 1, zero_seed);
	for (int i = 0; i < 1000; i++)
		change(t);
	assert_ptr_equal(table_slot(t, 3), &memory[3]);
	table_free(t);
	free(memory);
}

static void counters_in_borrowed_memory_leave_it(void **state)
{
	struct tunnel_counters *memory = aligned_alloc(64, 4 * sizeof(*memory));

	(void)state;
	assert_non_null(memory);
	memset(memory, 0, 4 * sizeof(*memory));
	struct counters *c = counters_create_in(memory, 4);
	assert_non_null(c);
	counters_out(c, 2, 100);
	assert_int_equal(atomic_load(&memory[2].bytes_out), 100);
	counters_clear_slot(c, 2);
	assert_int_equal(atomic_load(&memory[2].bytes_out), 0);
	counters_free(c);
	free(memory);
}

/* ---- the plain word ---- */

static uint64_t plain_of(struct table *t, uint32_t id)
{
	return atomic_load(&table_by_id(t, id)->plain);
}

static void the_plain_word_says_what_the_configuration_allows(void **state)
{
	struct pop p = pop_new();

	(void)state;
	assert_int_equal(plain_of(p.table, 1), 0);
	assert_int_equal(plain_of(p.table, 2), UINT64_C(2) << 32 | 1280 << 16);
	assert_int_equal(plain_of(p.table, 3),
			 UINT64_C(3) << 32 | 1280 << 16 | TUNNEL_PLAIN_STATIC);
	assert_int_equal(plain_of(p.table, 6),
			 UINT64_C(6) << 32 | 1480 << 16 | TUNNEL_PLAIN_STATIC);
	struct tunnel_conf *c = conf_new(p.digest, 3, TUNNEL_STATIC, "2001:db8:2ff:3::", NULL);
	c->static_endpoint = addr4("203.0.113.3");
	c->enabled = false;
	struct tunnel *t = pop_add(&p, c);
	assert_int_equal(atomic_load(&t->plain), 0);
	c = conf_new(p.digest, 3, TUNNEL_STATIC, "2001:db8:2ff:3::", NULL);
	c->static_endpoint = addr4("203.0.113.3");
	pop_add(&p, c);
	assert_int_not_equal(atomic_load(&t->plain), 0);
	assert_true(table_delete(p.table, 3));
	assert_int_equal(atomic_load(&t->plain), 0);
	pop_end(&p);
}

static void a_free_slot_is_not_held(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 3);

	(void)state;
	atomic_store(&t->held, 1);
	assert_true(table_delete(p.table, 3));
	table_reclaim(p.table);
	assert_int_equal(atomic_load(&t->held), 0);
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_follows_every_change),
		cmocka_unit_test(null_ends_the_calls),
		cmocka_unit_test(a_table_in_borrowed_memory_leaves_it),
		cmocka_unit_test(counters_in_borrowed_memory_leave_it),
		cmocka_unit_test(the_plain_word_says_what_the_configuration_allows),
		cmocka_unit_test(a_free_slot_is_not_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
