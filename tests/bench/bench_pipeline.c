/*
 * What the pure data path costs: nanoseconds a packet inside pipeline_run, by source and size, full
 * batches, one thread, packets in warm buffers, tunnels taken at random out of as many as the
 * argument says.
 *
 *   cc -O2 -g -D_GNU_SOURCE -I. -o build/bench_pipeline tests/bench/bench_pipeline.c build/popd.a build/lib.a -lcrypto
 *   build/bench_pipeline [TUNNELS]
 *
 * Every row checks that its packets had the fate it is named for. The figure is the median of
 * ROUNDS.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/wire/ayiya.h"
#include "lib/wire/ipv6.h"
#include "popd/core/pipeline.h"

#define SECRET "0123456789abcdef0123456789abcdef"
enum { NOW = 1795423260, ROUNDS = 301, ROOM = 2048, LOOKUPS = 4000 };

static struct pipeline pipeline;
static uint32_t tunnels = 10000;
static uint64_t seed = 88172645463325252;
static uint8_t pristine[JOB_BATCH][ROOM], buffers[JOB_BATCH][ROOM];

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "bench_pipeline: %s\n", what);
	exit(1);
}

static uint32_t any(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)((seed >> 16) % below);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- the PoP: tunnel n is of type n modulo 3 ---- */

static struct ip6 net_of(uint32_t n)
{
	struct ip6 ip = { { 0x20, 0x01, 0x0d, 0xb8, (uint8_t)(n >> 24), (uint8_t)(n >> 16),
			    (uint8_t)(n >> 8), (uint8_t)n } };

	return ip;
}

static struct ip6 client_of(uint32_t n)
{
	struct ip6 ip = net_of(n);

	ip.b[15] = 2;
	return ip;
}

static struct endpoint4 home_of(uint32_t n)
{
	return (struct endpoint4){ { 0x0b000000 + n }, n % 3 == TUNNEL_AYIYA ? 4000 : 0 };
}

static void add_tunnel(uint32_t n)
{
	struct tunnel_conf *c = tunnel_conf_create(1);

	require(c && tunnel_conf_set_secret(c, pipeline.digest, SECRET, strlen(SECRET)) == 0,
		"no tunnel");
	c->id = n + 1;
	c->type = (uint8_t)(n % 3);
	c->enabled = true;
	c->mtu = 1280;
	c->net = net_of(n);
	c->static_endpoint = home_of(n).addr;
	c->routes[0] = (struct prefix6){ { { 0x20, 0x01, 0x0d, 0xb9, (uint8_t)(n >> 16),
					     (uint8_t)(n >> 8), (uint8_t)n } },
					 56 };
	require(table_set(pipeline.table, c) == 0, "table_set");
	(void)table_restore(pipeline.table, n + 1,
			    &(struct tunnel_memory){ endpoint_pack(home_of(n), 0), NOW, NOW, NOW });
}

static void start(void)
{
	uint8_t key[16];
	struct pop_conf pop = { .ipv4 = { 0xc6336402 },
				.prefix_count = 1,
				.tunnel_prefix_count = 1 };

	require(digest_init() == 0 && random_bytes(key, sizeof(key)), "no digests");
	pipeline = (struct pipeline){ .table = table_create(tunnels, 1, key),
				      .counters = counters_create(tunnels),
				      .limiter = limiter_create(tunnels, 100, 10),
				      .roam = roam_create(tunnels, (struct timestamp){ 0, 0 }, key),
				      .asks = calloc(ROAM_BUDGET__COUNT, sizeof(*pipeline.asks)),
				      .digest = digest_ctx_create(),
				      .forward = { .expiry = 360 } };
	require(pipeline.table && pipeline.counters && pipeline.limiter && pipeline.roam &&
			pipeline.asks && pipeline.digest,
		"no memory");
	pop.prefixes[0] = (struct prefix6){ { { 0x20, 0x01, 0x0d, 0xb8 } }, 31 };
	if (table_set_pop(pipeline.table, &pop) != 0)
		abort();
	for (uint32_t n = 0; n < tunnels; n++) {
		add_tunnel(n);
		counters_in(pipeline.counters, n, 1,
			    0); /* or the first packets would pay for its page */
	}
}

/* ---- packets ---- */

struct row {
	const char *name;
	enum job_source source;
	enum tunnel_type from, to; /* TUNNEL_TYPE__COUNT: the uplink */
	bool sha256;
	enum { HONEST, FORGED, STRANGER } who;
	enum drop want;
};

static const struct row rows[] = {
	{ "uplink -> AYIYA", JOB_FROM_TUN, TUNNEL_TYPE__COUNT, TUNNEL_AYIYA, false, HONEST,
	  DROP_NONE },
	{ "uplink -> protocol 41", JOB_FROM_TUN, TUNNEL_TYPE__COUNT, TUNNEL_STATIC, false, HONEST,
	  DROP_NONE },
	{ "AYIYA -> uplink", JOB_FROM_AYIYA, TUNNEL_AYIYA, TUNNEL_TYPE__COUNT, false, HONEST,
	  DROP_NONE },
	{ "AYIYA SHA-256 -> uplink", JOB_FROM_AYIYA, TUNNEL_AYIYA, TUNNEL_TYPE__COUNT, true, HONEST,
	  DROP_NONE },
	{ "AYIYA -> protocol 41", JOB_FROM_AYIYA, TUNNEL_AYIYA, TUNNEL_STATIC, false, HONEST,
	  DROP_NONE },
	{ "protocol 41 -> uplink", JOB_FROM_PROTO41, TUNNEL_STATIC, TUNNEL_TYPE__COUNT, false,
	  HONEST, DROP_NONE },
	{ "heartbeat", JOB_FROM_HEARTBEAT, TUNNEL_HEARTBEAT, TUNNEL_TYPE__COUNT, false, HONEST,
	  DROP_NONE },
	{ "AYIYA, forged", JOB_FROM_AYIYA, TUNNEL_AYIYA, TUNNEL_TYPE__COUNT, false, FORGED,
	  DROP_AYIYA_SIGNATURE },
	{ "AYIYA, unknown identity", JOB_FROM_AYIYA, TUNNEL_AYIYA, TUNNEL_TYPE__COUNT, false,
	  STRANGER, DROP_TUNNEL_UNKNOWN },
	{ "protocol 41, unknown source", JOB_FROM_PROTO41, TUNNEL_STATIC, TUNNEL_TYPE__COUNT, false,
	  STRANGER, DROP_TUNNEL_UNKNOWN },
};

static uint32_t any_of(enum tunnel_type type)
{
	return any(tunnels / 3) * 3 + (uint32_t)type;
}

static size_t write_inner(uint8_t *p, const struct row *row, uint32_t from, size_t size)
{
	static const struct ip6 outside = { { 0x26, 0x20, [15] = 1 } };
	struct ip6 source = row->from == TUNNEL_TYPE__COUNT ? outside : client_of(from),
		   to = outside;

	if (row->to != TUNNEL_TYPE__COUNT)
		do
			to = client_of(any_of(row->to));
		while (ip6_equal(&to, &source));
	ipv6_write(p, size - IPV6_HEADER, IPV6_NEXT_UDP, 64, &source, &to);
	memset(p + IPV6_HEADER, 7, size - IPV6_HEADER);
	return size;
}

static size_t write_ayiya(uint8_t *p, const struct row *row, uint32_t from, size_t size)
{
	size_t header = ayiya_header_len(row->sha256);
	enum digest_alg alg = row->sha256 ? DIGEST_SHA256 : DIGEST_SHA1;
	struct ip6 identity = client_of(from);
	uint8_t key[DIGEST_MAX_LEN], sum[DIGEST_MAX_LEN];

	require(digest(pipeline.digest, alg, SECRET, strlen(SECRET), key), "digest");
	ayiya_encode(p, row->sha256, AYIYA_FORWARD, AYIYA_NEXT_IPV6, NOW, &identity, key);
	size = header + write_inner(p + header, row, from, size);
	require(digest(pipeline.digest, alg, p, size, sum), "digest");
	memcpy(p + AYIYA_AT_SIGNATURE, sum, digest_len(alg));
	p[AYIYA_AT_SIGNATURE] ^= row->who == FORGED;
	return size;
}

static size_t write_beat(uint8_t *p, uint32_t from)
{
	struct ip6 client = client_of(from);
	char text[IP6_TEXT], hex[DIGEST_MAX_HEX];
	int n = snprintf((char *)p, ROOM / 2, "HEARTBEAT TUNNEL %s sender %u ",
			 ip6_text(&client, text), NOW);

	memcpy(p + n, SECRET, strlen(SECRET));
	require(digest_hex(pipeline.digest, DIGEST_MD5, p, (size_t)n + strlen(SECRET), hex),
		"digest");
	memcpy(p + n, hex, 32);
	return (size_t)n + 32;
}

static void write_job(struct job *job, uint8_t *p, const struct row *row, size_t size)
{
	uint32_t from = row->from == TUNNEL_TYPE__COUNT ? 0 : any_of(row->from);

	job->source = row->source;
	job->from = row->from == TUNNEL_TYPE__COUNT ? (struct endpoint4){ { 0 }, 0 }
						    : home_of(from);
	job->outer_tos = 0;
	if (row->who == STRANGER)
		from += UINT32_C(0x10000000);
	job->len = (uint32_t)(row->source == JOB_FROM_HEARTBEAT ? write_beat(p, from)
			      : row->source == JOB_FROM_AYIYA   ? write_ayiya(p, row, from, size)
								: write_inner(p, row, from, size));
}

/* ---- measuring ---- */

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

static double measure(const struct row *row, size_t size)
{
	static struct job jobs[JOB_BATCH];
	static double took[ROUNDS];

	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < JOB_BATCH; i++) {
			write_job(&jobs[i], pristine[i] + JOB_HEADROOM, row, size);
			memcpy(buffers[i], pristine[i], sizeof(buffers[i]));
			jobs[i].data = buffers[i] + JOB_HEADROOM;
		}
		double begin = now_ns();
		table_worker_enter(pipeline.table, 0);
		pipeline_run(&pipeline, jobs, JOB_BATCH,
			     (struct timestamp){ NOW, (int64_t)round, { NOW } });
		table_worker_leave(pipeline.table, 0);
		took[round] = (now_ns() - begin) / JOB_BATCH;
		for (size_t i = 0; i < JOB_BATCH; i++)
			require(jobs[i].drop == row->want, drop_name(jobs[i].drop));
	}
	return median(took, ROUNDS);
}

/* Of one lookup, on its own and among 64. */
static void measure_lookups(void)
{
	static double alone[LOOKUPS], together[LOOKUPS];
	struct ip6 keys[JOB_BATCH];
	const struct ip6 *ptrs[JOB_BATCH];
	struct route routes[JOB_BATCH];
	uint64_t found = 0;

	for (size_t round = 0; round < 2 * LOOKUPS; round++) {
		for (size_t k = 0; k < JOB_BATCH; k++) {
			keys[k] = client_of(any(tunnels));
			ptrs[k] = &keys[k];
		}
		double begin = now_ns();
		if (round % 2)
			table_lookup_batch(pipeline.table, ptrs, JOB_BATCH, routes);
		else
			for (size_t k = 0; k < JOB_BATCH; k++)
				routes[k] = table_lookup(pipeline.table, ptrs[k]);
		for (size_t k = 0; k < JOB_BATCH; k++)
			found += routes[k].conf->id != 0;
		(round % 2 ? together : alone)[round / 2] = (now_ns() - begin) / JOB_BATCH;
	}
	require(found == 2 * LOOKUPS * JOB_BATCH, "a lookup failed");
	printf("%-30s %8.1f ns alone %8.1f ns in a batch\n", "lookup", median(alone, LOOKUPS),
	       median(together, LOOKUPS));
}

int main(int argc, char **argv)
{
	if (argc > 1)
		tunnels = (uint32_t)strtoul(argv[1], NULL, 10);
	require(tunnels >= 6 && tunnels <= 4000000,
		"usage: bench_pipeline [TUNNELS]   6 to 4000000");
	double begin = now_ns();
	start();
	printf("%u tunnels loaded in %.3f s, table %zu bytes a tunnel\n", tunnels,
	       (now_ns() - begin) / 1e9, table_memory(pipeline.table) / tunnels);
	measure_lookups();
	printf("%-30s %9s %9s\n", "ns a packet, by inner bytes", "84", "1280");
	for (size_t r = 0; r < ARRAY_LEN(rows); r++)
		printf("%-30s %9.1f %9.1f\n", rows[r].name, measure(&rows[r], 84),
		       measure(&rows[r], 1280));
	return 0;
}
