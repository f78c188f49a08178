/*
 * A small PoP for the tests: a table with a few tunnels, a pipeline, a clock that stands still, and
 * packets made by hand. Packets come to a job in heap blocks of exactly the promised size, so that
 * a sanitizer sees every byte beyond.
 */
#ifndef TESTS_UNIT_TEST_POPD_FIXTURE_H
#define TESTS_UNIT_TEST_POPD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "popd/core/pipeline.h"

#define POP_IPV4 UINT32_C(0xc6336402) /* 198.51.100.2 */
#define POP_IPV4_TEXT "198.51.100.2"
#define SECRET "0123456789abcdef0123456789abcdef"
enum { NOW = 1795423260, EXPIRY = 360, FIXTURE_TUNNELS = 64, PACKET_MAX = 2048 };

/* The tests' monotonic seconds have the numbers of their wall seconds. */
static inline mono_s_t mono(int64_t s)
{
	return (mono_s_t){ (uint32_t)s };
}

static inline struct moment moment(uint32_t s)
{
	return (struct moment){ s, mono(s) };
}

static inline struct timestamp stamp(uint32_t s, int64_t mono_us)
{
	return (struct timestamp){ .wall = s, .mono_us = mono_us, .mono = mono(s) };
}

struct pop {
	struct table *table;
	struct counters *counters;
	struct limiter *limiter;
	struct roam *roam;
	struct asks *asks;
	struct digest_ctx *digest;
	struct pipeline pipeline;
	struct timestamp now;
};

/* Seconds pass, on both clocks. */
static inline void pass(struct pop *p, int64_t seconds)
{
	p->now.wall = (uint32_t)(p->now.wall + seconds);
	p->now.mono = mono(p->now.mono.s + seconds);
}

static inline struct ip6 addr(const char *text)
{
	struct ip6 ip;

	assert_int_equal(ip6_parse(text, strlen(text), &ip), 0);
	return ip;
}

static inline struct prefix6 prefix(const char *text)
{
	struct prefix6 p;

	assert_int_equal(prefix6_parse(text, strlen(text), &p), 0);
	return p;
}

static inline struct ip4 addr4(const char *text)
{
	struct ip4 ip;

	assert_int_equal(ip4_parse(text, strlen(text), &ip), 0);
	return ip;
}

static inline struct endpoint4 at(const char *text, uint16_t port)
{
	return (struct endpoint4){ addr4(text), port };
}

/* `net`: the tunnel's /64 without length; routes: NULL-terminated. */
static inline struct tunnel_conf *conf_new(struct digest_ctx *d, uint32_t id, enum tunnel_type type,
					   const char *net, const char *const *routes)
{
	size_t n = 0;

	while (routes && routes[n])
		n++;
	struct tunnel_conf *c = tunnel_conf_create(n);
	assert_non_null(c);
	c->id = id;
	c->type = type;
	c->enabled = true;
	c->mtu = 1280;
	c->net = addr(net);
	for (size_t i = 0; i < n; i++)
		c->routes[i] = prefix(routes[i]);
	assert_int_equal(tunnel_conf_set_secret(c, d, SECRET, strlen(SECRET)), 0);
	return c;
}

/* table_set; a configuration that the table refuses is freed. */
static inline int set_or_free(struct table *t, struct tunnel_conf *c)
{
	int err = table_set(t, c);

	if (err)
		tunnel_conf_free(c);
	return err;
}

static inline struct tunnel *pop_add(struct pop *p, struct tunnel_conf *c)
{
	uint32_t id = c->id;

	assert_int_equal(table_set(p->table, c), 0);
	return table_by_id(p->table, id);
}

static inline const struct tunnel_conf *conf_of_tunnel(const struct tunnel *t)
{
	return atomic_load(&t->conf);
}

/* The SHA-1 engines: up to the one that tests/matrix.sh sets, else all. */
static inline struct sha1_set sha1_of_test(void)
{
	const char *asked = getenv("BROKER_TEST_SHA1");
	enum sha1_engine e = SHA1_AUTO;

	for (enum sha1_engine i = SHA1_AUTO; asked && i < SHA1_ENGINE__COUNT; i++)
		if (strcmp(asked, sha1_engine_names[i]) == 0)
			e = i;
	struct sha1_set set = sha1_set_choose(e);
	assert_true(!asked || !*asked || set.widest == e);
	return set;
}

/* table_restore of an endpoint whose highest epoch is its newest. */
static inline bool restore(struct table *t, uint32_t id, uint64_t endpoint, uint32_t newest,
			   uint32_t heard)
{
	return table_restore(t, id,
			     &(struct tunnel_memory){ endpoint, newest, newest, mono(heard) });
}

/* T1 AYIYA :1::, T2 heartbeat :2::, T3 static :3:: at 203.0.113.3, T4 AYIYA disabled, T5 heartbeat
 * never heard from, T6 static of MTU 1480. */
static inline struct pop pop_new(void)
{
	static const uint8_t seed[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
	struct pop p = { .now = stamp(NOW, 5000000) };

	assert_int_equal(digest_init(), 0);
	p.digest = digest_ctx_create();
	p.table = table_create(FIXTURE_TUNNELS, 1, seed);
	p.counters = counters_create(FIXTURE_TUNNELS);
	p.limiter = limiter_create(FIXTURE_TUNNELS, 1000, 100);
	p.roam = roam_create(FIXTURE_TUNNELS, stamp(0, 0), seed);
	p.asks = calloc(ROAM_BUDGET__COUNT, sizeof(*p.asks));
	assert_true(p.digest && p.table && p.counters && p.limiter && p.roam && p.asks);
	p.pipeline = (struct pipeline){ .table = p.table,
					.counters = p.counters,
					.limiter = p.limiter,
					.roam = p.roam,
					.asks = p.asks,
					.digest = p.digest,
					.sha1 = sha1_of_test(),
					.forward = { .expiry = EXPIRY, .probe_key = { 42 } },
					.ayiya_port = 5072 };
	struct pop_conf conf = { .ipv4 = { POP_IPV4 },
				 .own = addr("2001:db8:2ff:ffff::1"),
				 .prefix_count = 2,
				 .tunnel_prefix_count = 1 };
	conf.prefixes[0] = prefix("2001:db8:2ff::/48");
	conf.prefixes[1] = prefix("2001:db8:3000::/40");
	assert_int_equal(table_set_pop(p.table, &conf), 0);

	pop_add(&p, conf_new(p.digest, 1, TUNNEL_AYIYA, "2001:db8:2ff:1::",
			     (const char *const[]){ "2001:db8:2ff:8001::/64", "2001:db8:3001::/48",
						    NULL }));
	pop_add(&p, conf_new(p.digest, 2, TUNNEL_HEARTBEAT, "2001:db8:2ff:2::",
			     (const char *const[]){ "2001:db8:2ff:8002::/64", NULL }));
	struct tunnel_conf *c = conf_new(p.digest, 3, TUNNEL_STATIC, "2001:db8:2ff:3::",
					 (const char *const[]){ "2001:db8:3003::/48", NULL });
	c->static_endpoint = addr4("203.0.113.3");
	pop_add(&p, c);
	c = conf_new(p.digest, 4, TUNNEL_AYIYA, "2001:db8:2ff:4::", NULL);
	c->enabled = false;
	pop_add(&p, c);
	pop_add(&p, conf_new(p.digest, 5, TUNNEL_HEARTBEAT, "2001:db8:2ff:5::", NULL));
	c = conf_new(p.digest, 6, TUNNEL_STATIC, "2001:db8:2ff:6::", NULL);
	c->static_endpoint = addr4("203.0.113.6");
	c->mtu = 1480;
	pop_add(&p, c);
	restore(p.table, 1, endpoint_pack(at("192.0.2.1", 4001), 0), NOW - 10, NOW - 10);
	restore(p.table, 2, endpoint_pack(at("192.0.2.2", 0), 0), NOW - 10, NOW - 10);
	return p;
}

static inline void pop_end(struct pop *p)
{
	table_free(p->table);
	counters_free(p->counters);
	limiter_free(p->limiter);
	roam_free(p->roam);
	free(p->asks);
	digest_ctx_free(p->digest);
}

/* ---- packets ---- */

struct packet {
	size_t len;
	uint8_t b[PACKET_MAX];
};

static inline void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* An IPv6 packet with `len` bytes of payload (NULL: a pattern). */
static inline struct packet ipv6(const char *source, const char *destination, uint8_t next,
				 uint8_t hops, const void *payload, size_t len)
{
	struct packet p = { .len = 40 + len };
	struct ip6 s = addr(source), d = addr(destination);

	assert_true(p.len <= sizeof(p.b));
	p.b[0] = 0x60;
	put16(p.b + 4, (unsigned)len);
	p.b[6] = next;
	p.b[7] = hops;
	memcpy(p.b + 8, s.b, 16);
	memcpy(p.b + 24, d.b, 16);
	for (size_t i = 0; i < len; i++)
		p.b[40 + i] = payload ? ((const uint8_t *)payload)[i] : (uint8_t)(i * 7);
	return p;
}

/* The checksum as in the RFC, byte by byte, without popd's code. */
static inline uint16_t plain_csum(const uint8_t *ipv6_packet, const uint8_t *upper, size_t len,
				  uint8_t next)
{
	uint32_t sum = 0;

	for (size_t i = 8; i < 40; i += 2)
		sum += (uint32_t)(ipv6_packet[i] << 8 | ipv6_packet[i + 1]);
	sum += (uint32_t)(len >> 16) + (uint32_t)(len & 0xffff) + next;
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? upper[i] : (uint32_t)upper[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline void seal_icmp(struct packet *p)
{
	put16(p->b + 42, 0);
	put16(p->b + 42, plain_csum(p->b, p->b + 40, p->len - 40, 58));
}

static inline struct packet icmp(const char *source, const char *destination, uint8_t type,
				 uint8_t code, size_t len)
{
	struct packet p = ipv6(source, destination, 58, 64, NULL, len < 8 ? 8 : len);

	p.b[40] = type;
	p.b[41] = code;
	seal_icmp(&p);
	return p;
}

static inline struct packet echo(const char *source, const char *destination)
{
	return icmp(source, destination, 128, 0, 64);
}
static inline struct packet udp(const char *source, const char *destination)
{
	return ipv6(source, destination, 17, 64, "\x12\x34\x82\x9b\x00\x08\x00\x01", 8);
}

static inline struct packet with_hops(struct packet p, uint8_t hops)
{
	p.b[7] = hops;
	return p;
}

/* How a datagram differs from a valid one. A field of 0 has the valid value; ZERO stands for 0. */
enum { ZERO = 16 };
struct ayiya_form {
	uint8_t first, opcode, next, auth;
	bool sha256;
	uint32_t epoch;
	const char *secret;
};
#define AYIYA_OF(...) (&(struct ayiya_form){ __VA_ARGS__ })
#define AYIYA_GOOD (&(struct ayiya_form){ .first = 0 })

static inline struct packet ayiya(struct digest_ctx *d, const char *identity,
				  const struct packet *inner, const struct ayiya_form *f)
{
	enum digest_alg alg = f->sha256 ? DIGEST_SHA256 : DIGEST_SHA1;
	size_t header = 24 + digest_len(alg);
	struct packet p = { .len = header + (inner ? inner->len : 0) };
	struct ip6 id = addr(identity);
	const char *secret = f->secret ? f->secret : SECRET;

	p.b[0] = f->first ? f->first : 0x41;
	p.b[1] = f->sha256 ? 0x84 : 0x52;
	p.b[2] = (uint8_t)((f->auth ? f->auth & 15 : 1) << 4 | (f->opcode ? f->opcode & 15 : 1));
	p.b[3] = f->next ? f->next : 41;
	put32(p.b + 4, f->epoch ? f->epoch : NOW);
	memcpy(p.b + 8, id.b, 16);
	if (inner)
		memcpy(p.b + header, inner->b, inner->len);
	assert_true(digest(d, alg, secret, strlen(secret), p.b + 24));
	uint8_t sum[DIGEST_MAX_LEN];
	assert_true(digest(d, alg, p.b, p.len, sum));
	memcpy(p.b + 24, sum, digest_len(alg));
	return p;
}

static inline struct packet beat(struct digest_ctx *d, const char *client, const char *address,
				 uint32_t epoch, const char *secret, const char *ending)
{
	struct packet p = { .len = 0 };
	char hex[DIGEST_MAX_HEX], line[256], text[512];
	int n = snprintf(line, sizeof(line), "HEARTBEAT TUNNEL %s %s %u ", client, address, epoch);
	int m = snprintf(text, sizeof(text), "%s%s", line, secret);

	assert_true(n > 0 && m > 0 && digest_hex(d, DIGEST_MD5, text, (size_t)m, hex));
	p.len = (size_t)snprintf((char *)p.b, sizeof(p.b), "%s%s%s", line, hex, ending);
	return p;
}

/* The IPv4 packet that carries `payload`; UDP from our AYIYA port when `port` (the client's) is
 * given, else protocol 41. */
static inline struct packet outer(const char *source, const char *destination, uint16_t port,
				  const struct packet *payload)
{
	size_t header = port ? 28 : 20;
	struct packet p = { .len = header + payload->len };

	assert_true(p.len <= sizeof(p.b));
	p.b[0] = 0x45;
	put16(p.b + 2, (unsigned)p.len);
	p.b[6] = 0x40;
	p.b[8] = 60;
	p.b[9] = port ? 17 : 41;
	put32(p.b + 12, addr4(source).v);
	put32(p.b + 16, addr4(destination).v);
	if (port) {
		put16(p.b + 20, 5072);
		put16(p.b + 22, port);
		put16(p.b + 24, (unsigned)(8 + payload->len));
	}
	memcpy(p.b + header, payload->b, payload->len);
	return p;
}

static inline void seal_icmp4(struct packet *p)
{
	uint32_t sum = 0;

	put16(p->b + 2, 0);
	for (size_t i = 0; i < p->len; i++)
		sum += i % 2 ? p->b[i] : (uint32_t)p->b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(p->b + 2, (uint16_t)~sum);
}

/* An ICMPv4 error that quotes the first `keep` bytes of an outer packet. */
static inline struct packet icmp4(uint8_t type, uint8_t code, uint16_t mtu,
				  const struct packet *about, size_t keep)
{
	struct packet p = { .len = 8 + (keep < about->len ? keep : about->len) };

	p.b[0] = type;
	p.b[1] = code;
	put16(p.b + 6, mtu);
	memcpy(p.b + 8, about->b, p.len - 8);
	seal_icmp4(&p);
	return p;
}

/* ---- jobs ---- */

/* A job on its own heap block. */
static inline void job_init(struct job *job, enum job_source source, const struct packet *p,
			    struct endpoint4 from, uint8_t tos)
{
	uint8_t *block = malloc(JOB_HEADROOM + p->len + JOB_TAILROOM);

	assert_non_null(block);
	memset(job, 0xa5, sizeof(*job)); /* nothing may rely on what an earlier batch left there */
	memcpy(block + JOB_HEADROOM, p->b, p->len);
	job->source = source;
	job->data = block + JOB_HEADROOM;
	job->len = (uint32_t)p->len;
	job->from = from;
	job->outer_tos = tos;
	job->gso = (struct gso){ 0, 0 };
	job->merged = false;
	job->tunnel = NULL;
}

/* Frees its block. */
static inline void job_end(struct job *job)
{
	free(job->data - JOB_HEADROOM);
}

static inline void pop_run(struct pop *p, struct job *jobs, size_t n)
{
	table_worker_enter(p->table, 0);
	pipeline_run(&p->pipeline, jobs, n, p->now);
	table_worker_leave(p->table, 0);
}

static inline enum drop pop_run_one(struct pop *p, struct job *job, enum job_source source,
				    struct packet packet, struct endpoint4 from)
{
	job_init(job, source, &packet, from, 0);
	pop_run(p, job, 1);
	return job->drop;
}

static inline enum drop pop_send(struct pop *p, enum job_source source, struct packet packet,
				 struct endpoint4 from)
{
	struct job job;
	enum drop d = pop_run_one(p, &job, source, packet, from);

	job_end(&job);
	return d;
}

/* Counts a drop without a packet. */
static inline void count_drop(struct counters *c, enum drop why, uint32_t slot, uint32_t tunnel,
			      uint64_t peer, uint32_t time)
{
	struct drop_note note = { .why = why, .tunnel = tunnel, .peer = peer, .time = time };

	counters_drop(c, slot, &note);
}

static inline uint64_t drops_of(const struct pop *p, enum drop d)
{
	return atomic_load(&p->counters->drops[d].count);
}
static inline uint32_t tunnel_drops_of(struct pop *p, uint32_t id, enum drop d)
{
	return counters_drops(p->counters, table_by_id(p->table, id)->slot, d);
}

/* The note about the last drop of the PoP, or of a tunnel. */
static inline struct drop_note last_of(const struct pop *p, enum drop d)
{
	struct drop_note n;

	assert_int_equal(drop_record_read(&p->counters->drops[d].last, &n), DROP_RECORD_READ);
	return n;
}
static inline struct drop_note tunnel_last_of(struct pop *p, uint32_t id, enum drop d)
{
	const struct drop_record *record = counters_record(p->counters,
							   table_by_id(p->table, id)->slot, d);
	struct drop_note n;

	assert_non_null(record);
	assert_int_equal(drop_record_read(record, &n), DROP_RECORD_READ);
	return n;
}

#endif
