/*
 * Readers and a writer at once. Two threads run pipelines (and bare lookups) over one table while
 * the control thread adds, changes, moves and deletes tunnels; some tunnels are never touched and
 * must be found every time. Built with a thread sanitizer by `make tsan`, where it proves the order
 * of memory; without one it still proves that no reader finds a wrong tunnel or freed memory
 * (SAN=1).
 */
#include <pthread.h>
#include <sched.h>

#include "popd/core/ask.h"
#include "popd/core/replay.h"
#include "popd/core/roam.h"
#include "tests/unit/test_popd_fixture.h"

enum { READERS = 2, STABLE = 8, CHURNING = 24, CAPACITY = 40, BATCH = 16 };

struct shared {
	struct table *table;
	struct packet stable[STABLE];     /* AYIYA packets of the stable tunnels to the next one */
	struct packet churning[CHURNING]; /* the same of tunnels that are added and deleted */
	_Atomic bool stop;
	_Atomic uint64_t batches[READERS];
};

struct reader {
	struct shared *shared;
	unsigned number;
	struct pipeline pipeline;
	uint64_t found, passed, answered;
	const char *fault; /* what went wrong; asserted by the main thread */
};

static void net_of(unsigned i, bool churning, unsigned variant, char out[static IP6_TEXT])
{
	snprintf(out, IP6_TEXT, "2001:db8:2ff:%x::", (churning ? 0x1000 + variant * 0x100 : 0) + i);
}

static struct tunnel_conf *conf_at(struct digest_ctx *d, unsigned i, bool churning,
				   unsigned variant)
{
	char net[IP6_TEXT], one[PREFIX6_TEXT], two[PREFIX6_TEXT];

	net_of(i, churning, variant, net);
	/* Routes change their order and number, and lengths come and go. */
	unsigned place = (churning ? 0x4000 : 0x3000) + i;
	snprintf(one, sizeof(one), "2001:db8:%x:8000::/%u", place, 49 + variant);
	snprintf(two, sizeof(two), "2001:db8:%x:%x::/64", place, variant);
	const char *routes[3] = { variant % 2 ? two : one,
				  variant % 3   ? NULL
				  : variant % 2 ? one
						: two,
				  NULL };
	return conf_new(d, 1 + i + (churning ? 100 : 0), TUNNEL_AYIYA, net, routes);
}

static struct packet packet_from(struct digest_ctx *d, unsigned i, bool churning, unsigned to,
				 uint32_t epoch)
{
	char net[IP6_TEXT], client[IP6_TEXT + 2], other[IP6_TEXT], target[IP6_TEXT + 2];

	net_of(i, churning, 0, net);
	net_of(to, false, 0, other);
	snprintf(client, sizeof(client), "%s2", net);
	snprintf(target, sizeof(target), "%s2", other);
	struct packet inner = echo(client, target);
	return ayiya(d, client, &inner, AYIYA_OF(.epoch = epoch));
}

static const char *check_job(const struct job *job, const struct packet *packet, bool is_stable)
{
	if (job->drop == DROP_NONE)
		return job->conf && memcmp(job->conf->net.b, packet->b + 8, 8) == 0
			       ? NULL
			       : "a packet was taken for another tunnel's";
	if (is_stable)
		return job->drop == DROP_TUNNEL_DOWN || job->drop == DROP_REPLAY_MOVE
			       ? NULL
			       : "a tunnel that was always there was not found";
	return NULL;
}

/* The asks of batches before, whose tunnels may have been deleted and their slots taken since: as a
 * worker makes them, and as if they were answered. */
static void answer_asks(struct reader *r, struct timestamp now)
{
	const int64_t later = now.mono_us + ASK_LIFE_US;
	struct ask a;

	while (asks_take_due(&r->pipeline.asks[ROAM_MOVED], later, &a) ||
	       asks_take_due(&r->pipeline.asks[ROAM_DOUBTED], later, &a)) {
		const struct tunnel_conf *c = atomic_load(&a.tunnel->conf);
		struct replay_packet p = { a.endpoint, NOW, now };
		struct replay_result result;
		uint8_t packet[ASK_LEN];
		if (!c || c->id != a.id)
			continue;
		ask_build(packet, &a, c, r->pipeline.forward.probe_key, 1);
		(void)roam_has_answered(r->pipeline.roam, a.tunnel, c, a.endpoint, a.asked_us);
		(void)roam_clients(r->pipeline.roam, a.tunnel, c);
		enum drop d = replay_accept_answer(r->pipeline.roam, a.tunnel, c, &p, a.asked_us,
						   &result);
		if (d != DROP_NONE && d != DROP_REPLAY_MOVE && d != DROP_TUNNEL_UNKNOWN &&
		    d != DROP_TUNNEL_TYPE)
			r->fault = "an answer was dropped for a wrong reason";
		r->answered += d == DROP_NONE;
	}
}

static void run_batch(struct reader *r, struct job *jobs,
		      uint8_t (*buffers)[JOB_HEADROOM + 512 + JOB_TAILROOM], unsigned round)
{
	const struct packet *packets[BATCH];

	for (unsigned i = 0; i < BATCH; i++) {
		packets[i] = i % 2 ? &r->shared->stable[(round + i) % STABLE]
				   : &r->shared->churning[(round * 7 + i) % CHURNING];
		memcpy(buffers[i] + JOB_HEADROOM, packets[i]->b, packets[i]->len);
		jobs[i] = (struct job){ .source = JOB_FROM_AYIYA,
					.data = buffers[i] + JOB_HEADROOM,
					.len = (uint32_t)packets[i]->len,
					.from = { { 0xc0000201 + (i == 5 ? r->number : 0) },
						  4000 } };
	}
	table_worker_enter(r->shared->table, r->number);
	struct timestamp now = stamp(NOW, (int64_t)round * 1000);
	pipeline_run(&r->pipeline, jobs, BATCH, now);
	for (unsigned i = 0; i < BATCH && !r->fault; i++) {
		r->fault = check_job(&jobs[i], packets[i], i % 2);
		r->passed += jobs[i].drop == DROP_NONE;
		r->found += jobs[i].conf != NULL;
	}
	table_worker_leave(r->shared->table, r->number);
	table_worker_enter(r->shared->table, r->number);
	if (round % 3 == 2)
		answer_asks(r, now);
	table_worker_leave(r->shared->table, r->number);
}

static void *read_and_run(void *arg)
{
	static _Thread_local struct job jobs[BATCH];
	static _Thread_local uint8_t buffers[BATCH][JOB_HEADROOM + 512 + JOB_TAILROOM];
	struct reader *r = arg;

	for (unsigned round = 0; !atomic_load(&r->shared->stop) && !r->fault; round++) {
		run_batch(r, jobs, buffers, round);
		atomic_fetch_add(&r->shared->batches[r->number], 1);
	}
	return NULL;
}

static void churn(struct shared *s, struct digest_ctx *d, unsigned i)
{
	struct pop_conf pop = *table_pop(s->table);
	unsigned which = i * 11 % CHURNING;

	if (i % 5 == 4)
		(void)table_delete(s->table, 101 + which);
	else if (set_or_free(s->table, conf_at(d, which, true, i % 4)) != 0)
		table_reclaim(s->table);
	if (i % 7 ==
	    0) { /* a change that keeps the tunnel: the readers must not lose it for a moment */
		struct tunnel_conf *c = conf_at(d, i % STABLE, false, i / 7 % 4);
		assert_int_equal(table_set(s->table, c), 0);
	}
	/* As from a journal. Without effect for a tunnel that was deleted. */
	if (i % 4 == 1)
		(void)restore(s->table, 101 + (i + 5) % CHURNING,
			      endpoint_pack(at("192.0.2.77", 7), 0), NOW - 5 + i % 3, NOW);
	if (i % 50 == 0)
		assert_int_equal(table_set_pop(s->table, &pop), 0);
	if (i % 3 == 0)
		table_reclaim(s->table);
}

static void readers_find_the_right_tunnel_while_the_table_changes(void **state)
{
	static const uint8_t seed[16] = { 7 };
	static struct shared s;
	struct reader readers[READERS];
	pthread_t threads[READERS];
	struct digest_ctx *d;
	const char *asked = getenv("POPD_CHURN");
	unsigned changes = asked ? (unsigned)strtoul(asked, NULL, 0) : 5000;
	uint64_t answered = 0;

	(void)state;
	assert_int_equal(digest_init(), 0);
	d = digest_ctx_create();
	s.table = table_create(CAPACITY, READERS, seed);
	struct pop_conf pop = { .ipv4 = { POP_IPV4 },
				.own = addr("2001:db8:2ff:ffff::1"),
				.prefix_count = 1,
				.tunnel_prefix_count = 1 };
	pop.prefixes[0] = prefix("2001:db8::/32");
	assert_int_equal(table_set_pop(s.table, &pop), 0);
	struct roam *roam = roam_create(CAPACITY, stamp(0, 0), seed);
	assert_non_null(roam);
	for (unsigned i = 0; i < STABLE; i++) {
		assert_int_equal(table_set(s.table, conf_at(d, i, false, 0)), 0);
		s.stable[i] = packet_from(d, i, false, (i + 1) % STABLE, NOW);
	}
	for (unsigned i = 0; i < CHURNING; i++)
		s.churning[i] = packet_from(d, i, true, i % STABLE, NOW);
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .shared = &s, .number = i };
		readers[i].pipeline = (struct pipeline){
			.table = s.table,
			.counters = counters_create(CAPACITY),
			.limiter = limiter_create(CAPACITY, 100, 10),
			.roam = roam,
			.asks = calloc(ROAM_BUDGET__COUNT, sizeof(struct asks)),
			.digest = digest_ctx_create(),
			.sha1 = sha1_of_test(),
			.forward = { .expiry = EXPIRY, .probe_key = { 1 } },
		};
		assert_int_equal(pthread_create(&threads[i], NULL, read_and_run, &readers[i]), 0);
	}
	for (unsigned i = 0; i < changes; i++)
		churn(&s, d, i);
	while (atomic_load(&s.batches[0]) < 50 || atomic_load(&s.batches[1]) < 50)
		churn(&s, d, 1);
	atomic_store(&s.stop, true);
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		if (readers[i].fault)
			fail_msg("%s", readers[i].fault);
		assert_true(readers[i].found > 0);
		answered += readers[i].answered;
		counters_free(readers[i].pipeline.counters);
		limiter_free(readers[i].pipeline.limiter);
		free(readers[i].pipeline.asks);
		digest_ctx_free(readers[i].pipeline.digest);
	}
	assert_true(answered > 0);
	table_free(s.table);
	roam_free(roam);
	digest_ctx_free(d);
}

/* ---- a prefix that moves from one tunnel to another ---- */

enum { FIRST = 1, SECOND = 2, AROUND = 3, MOVING_LOOKUPS = 8 };

/* `round` is odd while the prefix is on its way; else the owner is FIRST after an even number of
 * moves. Below it all lies a wider prefix of a third tunnel, so that there always is a route. */
struct moving {
	struct table *table;
	_Atomic unsigned round;
	_Atomic bool stop;
};

struct watcher {
	struct moving *moving;
	unsigned number;
	pthread_t thread;
	/* how often it looked while the prefix stayed where it was, by owner */
	_Atomic unsigned at_rest[2];
	_Atomic(const char *) fault;
};

static uint32_t owner_at_rest(unsigned round)
{
	return round / 2 % 2 == 0 ? FIRST : SECOND;
}

static const char *judge(const struct route *r, unsigned before, unsigned after)
{
	static const char *const faults[] = { "a route is missing",
					      "a route is nobody's who ever had it",
					      "a prefix was not its owner's",
					      "a route is not of its tunnel" };

	if (r->kind != ROUTE_SUBNET || !r->tunnel || !r->conf)
		return faults[0];
	if (r->conf->id < FIRST || r->conf->id > AROUND)
		return faults[1];
	if (before == after && before % 2 == 0 && r->conf->id != owner_at_rest(before))
		return faults[2];
	return r->conf->route_count > 0 ? NULL : faults[3];
}

/* By every kind of lookup: one address, a batch, and an exact prefix. */
static void look(struct watcher *w, const struct ip6 *inside)
{
	const struct ip6 *many[MOVING_LOOKUPS];
	struct route routes[MOVING_LOOKUPS + 1];
	struct moving *m = w->moving;

	for (size_t i = 0; i < MOVING_LOOKUPS; i++)
		many[i] = inside;
	table_worker_enter(m->table, w->number);
	unsigned before = atomic_load(&m->round);
	routes[MOVING_LOOKUPS] = table_lookup(m->table, inside);
	table_lookup_batch(m->table, many, MOVING_LOOKUPS, routes);
	bool owned = pop_owns(table_pop(m->table), inside);
	unsigned after = atomic_load(&m->round);
	const char *fault = owned ? NULL : "the PoP has lost a prefix";
	for (size_t i = 0; i < ARRAY_LEN(routes) && !fault; i++)
		fault = judge(&routes[i], before, after);
	if (fault)
		atomic_store(&w->fault, fault);
	if (before == after && before % 2 == 0)
		atomic_fetch_add(&w->at_rest[before / 2 % 2], 1);
	table_worker_leave(m->table, w->number);
}

static void *watch(void *arg)
{
	struct watcher *w = arg;
	struct ip6 inside = addr("2001:db8:3001:4200::1");

	while (!atomic_load(&w->moving->stop) && !atomic_load(&w->fault))
		look(w, &inside);
	return NULL;
}

/* Every watcher has seen both owners, or a fault. */
static bool have_rested(struct watcher *watchers)
{
	enum { ENOUGH = 20 };

	(void)sched_yield();
	for (unsigned i = 0; i < READERS; i++)
		if ((atomic_load(&watchers[i].at_rest[0]) < ENOUGH ||
		     atomic_load(&watchers[i].at_rest[1]) < ENOUGH) &&
		    !atomic_load(&watchers[i].fault))
			return false;
	return true;
}

/* With the prefix or without; other routes come and go, so that places change and the hash is built
 * anew. */
static void set_owner(struct moving *m, struct digest_ctx *d, uint32_t id, bool has, unsigned i)
{
	char net[IP6_TEXT], own[PREFIX6_TEXT], other[PREFIX6_TEXT];

	snprintf(net, sizeof(net), "2001:db8:2ff:%x::", (unsigned)id);
	snprintf(own, sizeof(own), "2001:db8:2ff:%x::/64", 0x8000u + (unsigned)id);
	snprintf(other, sizeof(other), "2001:db8:31%02x:%x::/%u", i % 256, (unsigned)id << 8,
		 57 + i % 5);
	const char *with[] = { own, "2001:db8:3001:4200::/56", i % 3 ? other : NULL, NULL },
		   *without[] = { own, i % 2 ? other : NULL, NULL };
	assert_int_equal(
		table_set(m->table, conf_new(d, id, TUNNEL_AYIYA, net, has ? with : without)), 0);
}

static void a_prefix_is_always_that_of_its_owner_while_it_moves(void **state)
{
	static const uint8_t seed[16] = { 9 };
	static struct moving m;
	static struct watcher watchers[READERS];
	const char *asked = getenv("POPD_CHURN");
	unsigned moves = asked ? (unsigned)strtoul(asked, NULL, 0) : 3000;

	(void)state;
	assert_int_equal(digest_init(), 0);
	struct digest_ctx *d = digest_ctx_create();
	m.table = table_create(CAPACITY, READERS, seed);
	assert_true(d && m.table);
	struct pop_conf pop = { .ipv4 = { POP_IPV4 }, .prefix_count = 1, .tunnel_prefix_count = 1 };
	pop.prefixes[0] = prefix("2001:db8::/32");
	assert_int_equal(table_set_pop(m.table, &pop), 0);
	assert_int_equal(
		table_set(m.table, conf_new(d, AROUND, TUNNEL_AYIYA, "2001:db8:2ff:3::",
					    (const char *const[]){ "2001:db8:3001::/48", NULL })),
		0);
	set_owner(&m, d, FIRST, true, 0);
	set_owner(&m, d, SECOND, false, 0);
	for (unsigned i = 0; i < READERS; i++) {
		watchers[i].moving = &m;
		watchers[i].number = i;
		assert_int_equal(pthread_create(&watchers[i].thread, NULL, watch, &watchers[i]), 0);
	}
	for (unsigned i = 0; i < moves || !have_rested(watchers); i++) {
		uint32_t from = owner_at_rest(2 * i), to = owner_at_rest(2 * i + 2);
		atomic_fetch_add(&m.round, 1);
		set_owner(&m, d, from, false, i);
		if (i % 64 == 0) /* deleted and added again */
			assert_true(table_delete(m.table, from));
		set_owner(&m, d, to, true, i);
		atomic_fetch_add(&m.round, 1);
		if (i % 64 == 0)
			set_owner(&m, d, from, false, i);
		if (i % 16 == 0)
			assert_int_equal(table_set_pop(m.table, &pop), 0);
		if (i % 3 == 0)
			table_reclaim(m.table);
	}
	atomic_store(&m.stop, true);
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(watchers[i].thread, NULL), 0);
		const char *fault = atomic_load(&watchers[i].fault);
		if (fault)
			fail_msg("%s", fault);
	}
	table_free(m.table);
	digest_ctx_free(d);
}

/* ---- one tunnel, two workers, two places ---- */

enum { EPOCHS = 20000 };

struct mover {
	struct roam *roam;
	struct tunnel *tunnel;
	const struct tunnel_conf *conf;
	uint64_t place;
	pthread_barrier_t *start;
	pthread_t thread;
	uint32_t moves;
	bool faulty;
};

static void *move_often(void *arg)
{
	struct mover *m = arg;

	(void)pthread_barrier_wait(m->start);
	for (uint32_t epoch = NOW; epoch < NOW + EPOCHS; epoch++) {
		struct replay_packet packet = { m->place, epoch, stamp(NOW + EPOCHS, 5000000) };
		struct replay_result r;
		enum drop d = replay_accept(m->roam, m->tunnel, m->conf, &packet, &r);
		uint32_t highest = atomic_load(&m->tunnel->highest);
		m->faulty = m->faulty || (d == DROP_NONE && highest < epoch) ||
			    (d != DROP_NONE && d != DROP_REPLAY_MOVE && d != DROP_REPLAY_STALE);
		m->moves += d == DROP_NONE && r.before != m->place;
	}
	return NULL;
}

static void a_tunnel_moves_at_most_once_a_second(void **state)
{
	struct pop p = pop_new();
	struct tunnel *t = table_by_id(p.table, 1);
	struct mover movers[2] = { { .roam = p.roam,
				     .tunnel = t,
				     .conf = conf_of_tunnel(t),
				     .place = endpoint_pack(at("192.0.2.21", 1), 0) },
				   { .roam = p.roam,
				     .tunnel = t,
				     .conf = conf_of_tunnel(t),
				     .place = endpoint_pack(at("192.0.2.22", 2), 1) } };

	(void)state;
	pthread_barrier_t start;
	assert_int_equal(pthread_barrier_init(&start, NULL, ARRAY_LEN(movers)), 0);
	movers[0].start = movers[1].start = &start;
	for (size_t i = 0; i < ARRAY_LEN(movers); i++)
		assert_int_equal(pthread_create(&movers[i].thread, NULL, move_often, &movers[i]),
				 0);
	for (size_t i = 0; i < ARRAY_LEN(movers); i++)
		assert_int_equal(pthread_join(movers[i].thread, NULL), 0);
	pthread_barrier_destroy(&start);
	uint64_t endpoint = atomic_load(&t->endpoint);
	assert_true(endpoint == movers[0].place || endpoint == movers[1].place);
	assert_int_equal(atomic_load(&t->highest), NOW + EPOCHS - 1);
	assert_false(movers[0].faulty || movers[1].faulty);
	assert_true(movers[0].moves + movers[1].moves <= EPOCHS);
	pop_end(&p);
}

/* ---- an endpoint that becomes a PoP's address under traffic ---- */

struct client {
	struct pop *pop;
	struct tunnel *tunnel;
	uint64_t from;
	pthread_t thread;
	_Atomic bool stop;
	_Atomic uint32_t rounds;
	uint32_t moves;
};

/* A worker whose packets always come from the same address, unless a PoP has it. */
static void *come_from_one_address(void *arg)
{
	struct client *c = arg;

	while (!atomic_load(&c->stop)) {
		struct table *t = c->pop->table;
		table_worker_enter(t, 0);
		struct replay_packet packet = { c->from, NOW + atomic_load(&c->rounds),
						stamp(NOW, 5000000) };
		struct replay_result r;
		bool is_pop = pop_is_peer(table_pop(t), endpoint_of(c->from).addr);
		/* the rest of the batch comes between the look and the move */
		for (unsigned i = 0; i < 2000; i++)
			atomic_signal_fence(memory_order_seq_cst);
		if (!is_pop)
			c->moves += replay_accept(c->pop->roam, c->tunnel,
						  conf_of_tunnel(c->tunnel), &packet,
						  &r) == DROP_NONE;
		table_worker_leave(t, 0);
		atomic_fetch_add(&c->rounds, 1);
	}
	return NULL;
}

static void no_tunnel_keeps_an_endpoint_that_has_become_a_pops(void **state)
{
	enum { CHANGES = 3000 };
	struct pop p = pop_new();
	struct client c = { .pop = &p,
			    .tunnel = table_by_id(p.table, 1),
			    .from = endpoint_pack(at("192.0.2.99", 7), 0) };
	struct pop_conf conf = *table_pop(p.table);
	const struct ip4 peer = endpoint_of(c.from).addr;
	unsigned kept = 0;

	(void)state;
	assert_int_equal(pthread_create(&c.thread, NULL, come_from_one_address, &c), 0);
	for (unsigned i = 0; i < CHANGES; i++) {
		pop_set_peers(&conf, &peer, i % 2);
		assert_int_equal(table_set_pop(p.table, &conf), 0);
		uint32_t rounds = atomic_load(&c.rounds);
		while (atomic_load(&c.rounds) - rounds < 2)
			(void)sched_yield();
		table_reclaim(p.table);
		kept += i % 2 && tunnel_is_at(c.tunnel, peer);
	}
	atomic_store(&c.stop, true);
	assert_int_equal(pthread_join(c.thread, NULL), 0);
	assert_true(c.moves > 0);
	assert_int_equal(kept, 0);
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_tunnel_keeps_an_endpoint_that_has_become_a_pops),
		cmocka_unit_test(a_tunnel_moves_at_most_once_a_second),
		cmocka_unit_test(a_prefix_is_always_that_of_its_owner_while_it_moves),
		cmocka_unit_test(readers_find_the_right_tunnel_while_the_table_changes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
