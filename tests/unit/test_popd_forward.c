/*
 * The pipeline against the oracle: random packets, most of them adversarial, from the uplink, from
 * AYIYA tunnels, over protocol 41, and ICMPv4 errors about packets that we may have sent. The
 * reason, the tunnel that is charged, the destination, the outer traffic class, DF, every byte sent
 * and the path MTUs afterwards must agree. POPD_ORACLE_PACKETS sets the number of packets (default
 * 1000000), POPD_ORACLE_SEED the seed.
 */
#include <stdio.h>

#include "popd/core/path.h"
#include "tests/unit/oracle.h"
#include "tests/unit/test_popd_fixture.h"

static uint64_t seed;

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % below);
}

/* ---- the world, twice ---- */

struct plan {
	enum tunnel_type type;
	const char *net, *endpoint, *routes[3];
	uint16_t port;
	bool enabled, sha256;
	int age; /* since heard; -1: never */
	uint16_t mtu;
};

static const struct plan plans[] = {
	{ TUNNEL_AYIYA,
	  "2001:db8:2ff::",
	  "192.0.2.1",
	  { "2001:db8:2ff:8000::/64", "2001:db8:3000::/48", NULL },
	  4001,
	  true,
	  false,
	  0,
	  1280 },
	{ TUNNEL_AYIYA,
	  "2001:db8:2ff:1::",
	  "192.0.2.2",
	  { "2001:db8:2ff:8001::/64", "2001:db8:3001::/48", NULL },
	  4002,
	  true,
	  true,
	  0,
	  1400 },
	{ TUNNEL_HEARTBEAT,
	  "2001:db8:2ff:2::",
	  "192.0.2.3",
	  { "2001:db8:2ff:8002::/64", "2001:db8:3002::/52", NULL },
	  0,
	  true,
	  false,
	  0,
	  1280 },
	{ TUNNEL_STATIC,
	  "2001:db8:2ff:3::",
	  "192.0.2.4",
	  { "2001:db8:3002:f000::/56", "2001:db8:3003::7/128", NULL },
	  0,
	  true,
	  false,
	  -1,
	  1480 },
	{ TUNNEL_STATIC,
	  "2001:db8:2ff:4::",
	  "192.0.2.4",
	  { "2001:db8:3003::/48", NULL },
	  0,
	  true,
	  false,
	  -1,
	  1300 },
	{ TUNNEL_STATIC, "2001:db8:2ff:5::", NULL, { NULL }, 0, true, false, -1, 1280 },
	{ TUNNEL_AYIYA,
	  "2001:db8:2ff:6::",
	  "192.0.2.5",
	  { "2001:db8:3006::/48", NULL },
	  4005,
	  false,
	  false,
	  0,
	  1280 },
	{ TUNNEL_AYIYA,
	  "2001:db8:2ff:7::",
	  "192.0.2.6",
	  { "2001:db8:3007::/48", NULL },
	  4006,
	  true,
	  false,
	  EXPIRY + 1,
	  1280 },
	{ TUNNEL_HEARTBEAT,
	  "2001:db8:2ff:8::",
	  NULL,
	  { "2001:db8:3008::/48", NULL },
	  0,
	  true,
	  false,
	  -1,
	  1280 },
	{ TUNNEL_HEARTBEAT,
	  "2001:db8:2ff:9::",
	  "192.0.2.7",
	  { NULL },
	  0,
	  true,
	  false,
	  EXPIRY + 1,
	  1480 },
	{ TUNNEL_STATIC,
	  "2001:db8:2ff:a::",
	  "192.0.2.8",
	  { "2001:db8:300a::/48", NULL },
	  0,
	  false,
	  false,
	  -1,
	  1280 },
};

static struct oracle_prefix oracle_prefix_of(const char *text)
{
	struct prefix6 p = prefix(text);
	struct oracle_prefix o = { .len = p.len };

	memcpy(o.bits, p.addr.b, 16);
	return o;
}

static void add_tunnel(struct pop *p, struct oracle_world *w, const struct plan *plan)
{
	struct oracle_tunnel *o = &w->tunnels[w->count++];
	struct tunnel_conf *c = conf_new(p->digest, (uint32_t)w->count, plan->type, plan->net,
					 plan->routes);
	struct ip4 endpoint = plan->endpoint ? addr4(plan->endpoint) : (struct ip4){ 0 };

	*o = (struct oracle_tunnel){ .id = c->id,
				     .type = (enum oracle_type)plan->type,
				     .enabled = plan->enabled,
				     .mtu = plan->mtu,
				     .address = endpoint.v,
				     .port = plan->port,
				     .sha256 = plan->sha256,
				     .heard = plan->age >= 0 && plan->age <= EXPIRY };
	memcpy(o->net, c->net.b, 16);
	for (; plan->routes[o->route_count]; o->route_count++)
		o->routes[o->route_count] = oracle_prefix_of(plan->routes[o->route_count]);
	c->enabled = plan->enabled;
	c->mtu = plan->mtu;
	if (plan->type == TUNNEL_STATIC)
		c->static_endpoint = endpoint;
	pop_add(p, c);
	if (plan->type != TUNNEL_STATIC && plan->age >= 0)
		restore(p->table, o->id,
			endpoint_pack((struct endpoint4){ endpoint, plan->port },
				      plan->sha256 ? ENDPOINT_SHA256 : 0),
			(uint32_t)(NOW - plan->age), (uint32_t)(NOW - plan->age));
}

static struct pop world_new(struct oracle_world *w)
{
	struct pop p = pop_new();

	for (uint32_t id = 1; id <= 6; id++)
		assert_true(table_delete(p.table, id));
	limiter_free(p.limiter);
	p.limiter = limiter_create(FIXTURE_TUNNELS, 1000000, 1000000);
	p.pipeline.limiter = p.limiter;
	*w = (struct oracle_world){ .ipv4 = { 198, 51, 100, 2 },
				    .now = NOW,
				    .ayiya_port = 5072,
				    .dscp = -1,
				    .tunnel_prefix = oracle_prefix_of("2001:db8:2ff::/48"),
				    .subnet_prefix = oracle_prefix_of("2001:db8:3000::/40") };
	for (size_t i = 0; i < ARRAY_LEN(plans); i++)
		add_tunnel(&p, w, &plans[i]);
	return p;
}

/* ---- packets ---- */

static const char *const elsewhere[] = {
	"2001:db8:f00::1",
	"2001:db8:f00::2",
	"2620:0:1::1",
	"2002:c000:201::1",
	"64:ff9b::c000:201",
	"fd00::1",
	"64:ff9b:1::1",
	"100::1",
	"2001:2::1",
	"5f00::1",
	"2002:a01:203::1",
	"2002:6440:1::1",
	"2002:ac10:1::1",
	"2002:c0a8:101::1",
	"::",
	"::1",
	"::2",
	"::c633:6402",
	"::ffff:192.0.2.1",
	"fe80::1",
	"fe80::d23c:a8ef:9420:b815",
	"febf::1",
	"fec0::1",
	"ff02::1",
	"ff02::2",
	"ff01::1",
	"ff0e::1",
	"ff05::2",
	"ff02::1:ff00:1",
	"2002:c633:6402::1",
	"2002:c633:6403::1",
	"2001:0:c633:6402::1",
	"2001:0:1:1:0:0:39cc:9bfd",
	"2001:db8:f00:1:0:5efe:c633:6402",
	"2001:db8:2ff:1:200:5efe:c633:6402",
	"2001:db8:2ff:ffff::1",
	"2001:db8:2ff:ffff::2",
	"2001:db8:2ff:4242::2",
	"2001:db8:30ff::1",
	"2001:db8:3000:ffff::1",
	"2001:db8:3002:f0ff::1",
	"2001:db8:3002:f100::1",
	"2001:db8:3002:1::1",
	"2001:db8:3002:8000::1",
	"2001:db8:3003::7",
	"2001:db8:3003::8",
	"2001:db8:2fe::1",
	"2001:db8:3100::1",
};

static void any_address(uint8_t out[static 16])
{
	uint32_t kind = any(10);

	if (kind < 6) { /* a tunnel's own /64, mostly ::1 and ::2 */
		struct ip6 ip = addr(plans[any(ARRAY_LEN(plans))].net);
		ip.b[15] = (uint8_t)(any(8) ? 1 + any(3) % 2 : any(256));
		memcpy(out, ip.b, 16);
	} else if (kind < 8) {
		const struct plan *plan = &plans[any(ARRAY_LEN(plans))];
		struct ip6 ip = plan->routes[0]
					? prefix(plan->routes[plan->routes[1] ? any(2) : 0]).addr
					: addr(plan->net);
		ip.b[15] ^= (uint8_t)any(4);
		memcpy(out, ip.b, 16);
	} else {
		struct ip6 ip = addr(elsewhere[any(ARRAY_LEN(elsewhere))]);
		memcpy(out, ip.b, 16);
	}
	if (any(40) == 0)
		out[any(16)] ^= (uint8_t)(1u << any(8));
}

static void any_upper(struct packet *p)
{
	static const uint8_t types[] = { 128, 128, 128, 129, 135, 135, 136, 1,
					 2,   3,   4,   127, 133, 137, 200, 0 };
	uint8_t *at = p->b + 40, *next = &p->b[6], *end = p->b + p->len;

	while (any(4) == 0 && end - at > 24) {
		static const uint8_t extensions[] = { 0, 43, 44, 44, 51, 60 };
		uint8_t kind = extensions[any(ARRAY_LEN(extensions))];
		size_t size = kind == 44 ? 8 : 8 * (1 + any(2));
		*next = kind;
		memset(at, 0, size);
		if (kind == 43 && any(3) == 0)
			at[3] = (uint8_t)any(4);
		at[1] = kind == 44 ? 0
				   : (uint8_t)(any(20) ? (kind == 51 ? size / 4 - 2 : size / 8 - 1)
						       : any(256));
		if (kind == 44)
			put16(at + 2, any(2) ? 0 : any(2) ? 1 : any(65536));
		next = at;
		at += size;
	}
	*next = (uint8_t)(any(3) ? 58 : any(2) ? 17 : any(256));
	if (*next != 58 || end - at < 8)
		return;
	at[0] = types[any(ARRAY_LEN(types))];
	at[1] = any(10) ? 0 : (uint8_t)any(256);
	if (at[0] == 135 && end - at >= 24) {
		memset(at + 4, 0, 4);
		memcpy(at + 8, any(2) ? p->b + 24 : p->b + 8, 16);
		at[23] = 1;
		for (uint8_t *option = at + 24; end - option >= 8 && any(4); option += 8)
			option[1] = (uint8_t)(any(8) ? 1 : any(3));
	}
	if (any(8)) {
		put16(at + 2, 0);
		put16(at + 2, plain_csum(p->b, at, (size_t)(end - at), 58));
	}
}

static struct packet any_packet(void)
{
	static const uint16_t lens[] = { 0,    1,    7,    8,    20,   24,   32,   64,   100,
					 1191, 1192, 1193, 1231, 1232, 1233, 1240, 1241, 1260,
					 1261, 1340, 1360, 1361, 1440, 1441, 1500 };
	static const uint8_t hops[] = { 0, 1, 1, 2, 64, 64, 64, 255, 255 };
	struct packet p = { .len = 40u + (any(3) ? any(80) : lens[any(ARRAY_LEN(lens))]) };

	p.b[0] = (uint8_t)(0x60 | any(16));
	for (size_t i = 1; i < p.len; i++)
		p.b[i] = (uint8_t)any(256);
	put16(p.b + 4, (unsigned)p.len - 40);
	p.b[7] = hops[any(ARRAY_LEN(hops))];
	any_address(p.b + 8);
	any_address(p.b + 24);
	any_upper(&p);
	if (any(50) == 0)
		p.b[0] = (uint8_t)any(256);
	if (any(50) == 0)
		put16(p.b + 4, any(2) ? (unsigned)p.len - 40 + 1 : any((uint32_t)p.len));
	if (any(50) == 0)
		p.len = any((uint32_t)p.len + 1);
	return p;
}

static void set_source(struct packet *p, const struct ip6 *ip)
{
	if (p->len < 40)
		return;
	memcpy(p->b + 8, ip->b, 16);
	if (p->b[6] == 58 && p->len >= 48 && (size_t)(p->b[4] << 8 | p->b[5]) == p->len - 40)
		seal_icmp(p);
}

/* Most packets have an honest source: from a tunnel one of its own, from the uplink one outside. */
static void honest_source(struct packet *p, const struct plan *plan)
{
	if (any(4) == 0)
		return;
	struct ip6 ip = !plan ? addr(elsewhere[any(5)]) : addr(plan->net);
	if (plan && plan->routes[0] && any(3) == 0)
		ip = prefix(plan->routes[0]).addr;
	if (plan)
		ip.b[15] ^= 2;
	set_source(p, &ip);
}

/* ---- comparison ---- */

static unsigned long at_packet;

static void differ(const char *what, const struct job *job, const struct oracle_answer *want)
{
	fail_msg("packet %lu: %s: %s, wanted %s, to %d", at_packet, what, drop_name(job->drop),
		 drop_name(want->drop), want->where);
}

/* Checks and removes the AYIYA header of a packet to an AYIYA tunnel. */
static const uint8_t *decapsulate(struct pop *p, const struct job *job,
				  const struct oracle_tunnel *t, size_t *len)
{
	const struct out *out = &job->out[0];
	size_t header = t->sha256 ? 56 : 44, key_len = header - 24;
	enum digest_alg alg = t->sha256 ? DIGEST_SHA256 : DIGEST_SHA1;
	static const uint8_t sha1_head[4] = { 0x41, 0x52, 0x11, 0x29 },
			     sha256_head[4] = { 0x41, 0x84, 0x11, 0x29 };
	uint8_t copy[PACKET_MAX], sum[32], identity[16] = { 0 };

	if (t->type != ORACLE_AYIYA) {
		assert_int_equal(out->kind, OUT_PROTO41);
		*len = out->len;
		return out->data;
	}
	assert_int_equal(out->kind, OUT_UDP);
	assert_true(out->len > header && out->len <= sizeof(copy));
	memcpy(copy, out->data, out->len);
	assert_memory_equal(copy, t->sha256 ? sha256_head : sha1_head, 4);
	assert_int_equal((uint32_t)copy[4] << 24 | (uint32_t)copy[5] << 16 |
				 (uint32_t)copy[6] << 8 | copy[7],
			 NOW);
	memcpy(identity, t->net, 8);
	identity[15] = 1;
	assert_memory_equal(copy + 8, identity, 16);
	assert_true(digest(p->digest, alg, SECRET, strlen(SECRET), copy + 24));
	assert_true(digest(p->digest, alg, copy, out->len, sum));
	assert_memory_equal(out->data + 24, sum, key_len);
	*len = out->len - header;
	return out->data + header;
}

static void compare_out(struct pop *p, const struct oracle_world *w, const struct job *job,
			struct oracle_answer *want)
{
	const struct out *out = &job->out[0];
	const uint8_t *got = out->data;
	size_t got_len = out->len;
	bool any_checksum = want->len >> 31;

	want->len &= 0x7fffffff;
	if (want->where < 0) {
		if (out->kind != OUT_TUN)
			differ("not to the TUN", job, want);
	} else {
		const struct oracle_tunnel *t = &w->tunnels[want->where];
		if (out->kind != (t->type == ORACLE_AYIYA ? OUT_UDP : OUT_PROTO41) ||
		    out->to.addr.v != t->address || out->to.port != t->port)
			differ("not to that tunnel", job, want);
		got = decapsulate(p, job, t, &got_len);
		assert_int_equal(out->tos, oracle_class(w, got));
		assert_int_equal(out->dont_fragment, t->type != ORACLE_AYIYA &&
							     oracle_mtu(w, t) > 1280 &&
							     got_len <= oracle_mtu(w, t));
		assert_ptr_equal(out->tunnel, table_by_id(p->table, t->id));
	}
	if (got_len != want->len)
		differ("another length", job, want);
	if (any_checksum) {
		assert_int_not_equal(oracle_checksum(got, got_len), 0);
		assert_memory_equal(got, want->packet, 42);
		assert_memory_equal(got + 44, want->packet + 44, got_len - 44);
	} else if (memcmp(got, want->packet, got_len) != 0) {
		differ("other bytes", job, want);
	}
}

static void compare(struct pop *p, const struct oracle_world *w, const struct job *job,
		    struct oracle_answer *want)
{
	if (job->drop != want->drop)
		differ("another reason", job, want);
	if (want->drop && last_of(p, want->drop).tunnel != want->charged)
		fail_msg("packet %lu: %s charged to T%u, not T%u", at_packet, drop_name(want->drop),
			 last_of(p, want->drop).tunnel, want->charged);
	if ((want->where == -2) != (job->out[0].kind == OUT_NONE))
		differ("goes out or not", job, want);
	assert_int_equal(job->out[1].kind, OUT_NONE);
	if (want->where != -2)
		compare_out(p, w, job, want);
}

/* ---- ICMPv4 errors ---- */

/* A packet of ours to that tunnel's client, or one with some fault. */
static struct packet any_sent(const struct oracle_tunnel *t)
{
	static const uint32_t ages[] = { 0,    0, 0, 60, 120, 121, (uint32_t)-120, (uint32_t)-121,
					 86400 };
	bool udp = any(10) ? t->type == ORACLE_AYIYA : any(2);
	struct packet p = { .len = (any(6) ? 20 : 24) + (udp ? 8 : 0) + 100u };
	size_t header = p.len - (udp ? 8 : 0) - 100u;
	uint8_t *payload = p.b + header;

	for (size_t i = 0; i < p.len; i++)
		p.b[i] = (uint8_t)any(256);
	p.b[0] = (uint8_t)(0x40 | header / 4);
	put16(p.b + 2, any(4) ? 1300 + any(220) : any(65536));
	put16(p.b + 6, any(10) ? 0x4000 : any(65536));
	p.b[9] = udp ? 17 : 41;
	put32(p.b + 12, any(16) ? POP_IPV4 : any(2) ? 0 : POP_IPV4 + 1);
	put32(p.b + 16, any(10) ? t->address : 0xc0000201 + any(9));
	if (udp) {
		put16(payload, any(16) ? 5072 : 3740);
		put16(payload + 2, any(12) ? t->port : any(3) ? 4001 + any(6) : 0);
		payload += 8;
		payload[0] = any(20) ? 0x41 : 0x31;
		put32(payload + 4, NOW - ages[any(ARRAY_LEN(ages))]);
		memcpy(payload + 8, t->net, 8);
		memset(payload + 16, 0, 8);
		payload[23] = any(10) ? 1 : (uint8_t)any(256);
		if (any(16) == 0)
			any_address(payload + 8);
	} else {
		payload[0] = any(20) ? 0x60 : 0x45;
		memcpy(payload + 24, t->net, 8);
		memset(payload + 32, 0, 8);
		payload[39] = 2;
		if (any(3) == 0)
			any_address(payload + 24);
	}
	if (any(30) == 0)
		p.b[any(60)] ^= (uint8_t)(1u << any(8));
	return p;
}

static struct packet any_icmp4(const struct oracle_world *w)
{
	static const uint8_t kinds[][2] = { { 3, 4 },  { 3, 4 }, { 3, 4 }, { 3, 4 },  { 3, 0 },
					    { 3, 1 },  { 3, 3 }, { 3, 9 }, { 11, 0 }, { 11, 1 },
					    { 12, 0 }, { 4, 0 }, { 8, 0 }, { 0, 0 },  { 5, 1 } };
	static const uint16_t mtus[] = { 0,    0,    1,    68,   576,  1280, 1300, 1301,
					 1352, 1364, 1400, 1420, 1480, 1492, 1500, 9000 };
	static const uint16_t keeps[] = { 0,  7,  8,  19, 20, 27, 28,   28,   28,  31,
					  51, 52, 53, 59, 60, 61, 4096, 4096, 4096 };
	const uint8_t *kind = kinds[any(ARRAY_LEN(kinds))];
	struct packet about = any_sent(&w->tunnels[any((uint32_t)w->count)]);
	struct packet p = icmp4(kind[0], kind[1], mtus[any(ARRAY_LEN(mtus))], &about,
				keeps[any(ARRAY_LEN(keeps))]);

	if (any(20) == 0)
		p.b[any((uint32_t)p.len)] ^= (uint8_t)(1u << any(8));
	if (any(40) == 0)
		p.len = any((uint32_t)p.len + 1);
	if (p.len >= 4 && any(10))
		seal_icmp4(&p);
	return p;
}

/* Does the control thread's part: applies the error to each tunnel that has the endpoint. */
static void apply_by_endpoint(struct pop *p, struct oracle_world *w, const struct job *job,
			      const struct packet *m)
{
	enum drop why = oracle_icmp4_reason(m->b);

	assert_int_equal(job->event, EVENT_ICMP_ERROR);
	for (size_t i = 0; i < w->count; i++) {
		struct oracle_tunnel *o = &w->tunnels[i];
		struct tunnel *t = table_by_id(p->table, o->id);
		bool its = oracle_icmp4_is_about(o, m->b + 8);
		if (icmp_error_is_about(&job->icmp_error, t, conf_of_tunnel(t)) != its)
			fail_msg("packet %lu: about T%u or not", at_packet, o->id);
		uint64_t before = drops_of(p, its ? why : DROP_ICMP4_UNVERIFIED);
		pipeline_icmp_error(&p->pipeline, t, &job->icmp_error, job->data, job->len,
				    stamp(NOW, 0));
		assert_int_equal(drops_of(p, its ? why : DROP_ICMP4_UNVERIFIED), before + 1);
		if (its)
			oracle_icmp4_apply(w, o, m->b);
	}
}

static void round_of_icmp4(struct pop *p, struct oracle_world *w, uint64_t *reached)
{
	struct packet m = any_icmp4(w);
	struct endpoint4 router = { { any(16)  ? 0x0a000001
				      : any(2) ? 0x7f000001
					       : 0xe0000001 },
				    0 };
	struct oracle_answer want;
	struct job job;

	job_init(&job, JOB_FROM_ICMP4, &m, router, (uint8_t)any(256));
	oracle_icmp4(w, router.addr.v, m.b, m.len, &want);
	pop_run(p, &job, 1);
	compare(p, w, &job, &want);
	if (want.by_endpoint)
		apply_by_endpoint(p, w, &job, &m);
	else
		assert_int_equal(job.event, EVENT_NONE);
	for (size_t i = 0; i < w->count; i++)
		if (path_mtu(atomic_load(&table_by_id(p->table, w->tunnels[i].id)->path),
			     mono(NOW)) != oracle_path_mtu(w, &w->tunnels[i]))
			fail_msg("packet %lu: path MTU of T%u", at_packet, w->tunnels[i].id);
	reached[want.drop]++;
	job_end(&job);
}

static void round_of_one(struct pop *p, struct oracle_world *w, uint64_t *reached)
{
	struct packet inner = any_packet(), outer;
	uint8_t tos = (uint8_t)(any(3) ? 0 : any(256));
	struct oracle_answer want;
	struct job job;

	w->now_us = p->now.mono_us;
	switch (any(3)) {
	case 0:
		honest_source(&inner, NULL);
		job_init(&job, JOB_FROM_TUN, &inner, (struct endpoint4){ { 0 }, 0 }, 0);
		oracle_forward(w, -1, inner.b, inner.len, 0, &want);
		break;
	case 1: { /* the two AYIYA tunnels that are up */
		int from = (int)any(2);
		struct oracle_tunnel *t = &w->tunnels[from];
		honest_source(&inner, &plans[from]);
		char id[IP6_TEXT];
		struct ip6 client = addr(plans[from].net);
		client.b[15] = 2;
		outer = ayiya(p->digest, ip6_text(&client, id), &inner,
			      AYIYA_OF(.sha256 = t->sha256));
		job_init(&job, JOB_FROM_AYIYA, &outer,
			 (struct endpoint4){ { t->address }, t->port }, tos);
		oracle_ayiya(w, from, inner.b, inner.len, tos & 3, &want);
		break;
	}
	default: {
		const struct plan *plan = &plans[any(6) ? 2 + any(3) : any(ARRAY_LEN(plans))];
		struct ip4 source = plan->endpoint && any(8) ? addr4(plan->endpoint)
							     : (struct ip4){ 0xc0000201 + any(9) };
		honest_source(&inner, plan);
		job_init(&job, JOB_FROM_PROTO41, &inner, (struct endpoint4){ source, 0 }, tos);
		job.merged = any(50) == 0;
		oracle_protocol41(w, source.v, inner.b, inner.len, tos & 3, job.merged, &want);
		break;
	}
	}
	pop_run(p, &job, 1);
	compare(p, w, &job, &want);
	reached[want.drop]++;
	job_end(&job);
	p->now.mono_us += 10;
}

/* Sets a path MTU, or none. */
static void change_a_path(struct pop *p, struct oracle_world *w)
{
	static const unsigned paths[] = { 0,    0,    60,   68,   576,  1300, 1301,
					  1352, 1353, 1400, 1420, 1492, 1500 };
	static const int ages[] = { 0, 0, 1, 300, 599, 600, 86400, -599, -600 };
	struct oracle_tunnel *t = &w->tunnels[any((uint32_t)w->count)];

	t->path_mtu = paths[any(ARRAY_LEN(paths))];
	t->path_since = NOW - ages[any(ARRAY_LEN(ages))];
	atomic_store(&table_by_id(p->table, t->id)->path,
		     path_pack(t->path_mtu, mono((uint32_t)t->path_since)));
}

static void change_the_policy(struct pop *p, struct oracle_world *w)
{
	w->dscp = (int)any(3) - 1;
	if (w->dscp == 1)
		w->dscp = (int)any(64);
	p->pipeline.dscp = w->dscp < 0 ? DSCP_COPY : (enum dscp)(DSCP_FIXED + w->dscp);
}

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

static void random_packets_have_the_fate_that_the_oracle_gives(void **state)
{
	struct oracle_world w;
	struct pop p = world_new(&w);
	uint64_t reached[DROP__COUNT] = { 0 };
	unsigned long n = setting("POPD_ORACLE_PACKETS", 1000000);

	(void)state;
	seed = setting("POPD_ORACLE_SEED", 20261123) | 1;
	for (at_packet = 0; at_packet < n; at_packet++) {
		if (any(200) == 0)
			change_a_path(&p, &w);
		if (any(1000) == 0)
			change_the_policy(&p, &w);
		if (any(5) == 0)
			round_of_icmp4(&p, &w, reached);
		else
			round_of_one(&p, &w, reached);
	}
	/* each rule has decided about some packets */
	if (reached[DROP_AYIYA_TRAILING] == 0 && n >= 100000)
		fail_msg("no packet reached ayiya-trailing");
	for (enum drop d = DROP_OUTER_UNREACHABLE; d <= DROP_NO_ENDPOINT; d++)
		if (reached[d] == 0 && n >= 100000)
			fail_msg("no packet reached %s", drop_name(d));
	for (enum drop d = 0; d < DROP__COUNT; d++)
		if (reached[d])
			print_message("%-22s %llu\n", drop_name(d), (unsigned long long)reached[d]);
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_packets_have_the_fate_that_the_oracle_gives),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
