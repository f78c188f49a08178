/*
 * A batch of hostile packets through the whole data path. Input: up to 16 times
 *
 *   0 source 3 bits | make it authentic 1 | outer address 4     1 outer TOS     2 length 2     4 that many bytes
 *
 * The last packet may be longer than the input: with the highest bit of its length set it is filled
 * with zeros up to PACKET_MAX, so that small inputs reach packets that are too big; else it ends
 * with the input.
 *
 * Each packet lies in a heap block of exactly the promised size. "Authentic" gives AYIYA a good
 * epoch and signature and a beat good digits, ICMPv4 a right checksum, so that the inner packet is
 * reached. An AYIYA epoch that begins with ff is as many seconds old as its last byte says, and an
 * authentic packet as long as an ask's answer becomes one when its first inner byte is ff.
 * Afterwards every output lies in its own job, each one to the TUN is a whole IPv6 packet, an
 * endpoint has moved only to where an accepted packet came from, and only such places are asked.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/wire/be.h"
#include "lib/wire/csum.h"
#include "lib/wire/icmp6.h"
#include "popd/core/pipeline.h"
#include "popd/core/probe.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "0123456789abcdef0123456789abcdef"
enum { NOW = 1795423260, MONO_US = 1000000, JOBS = 16, TUNNELS = 4, HEADER = 4, PACKET_MAX = 2048 };

/* The PoP lives as long as the process, in memory that a leak checker does not search. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static struct pipeline pipeline;

static void add_tunnel(uint32_t id, enum tunnel_type type, uint8_t last)
{
	struct tunnel_conf *c = tunnel_conf_create(1);

	if (!c || tunnel_conf_set_secret(c, pipeline.digest, SECRET, strlen(SECRET)) != 0)
		abort();
	c->id = id;
	c->type = type;
	c->enabled = true;
	c->mtu = id % 2 ? 1280 : 1480;
	c->net = (struct ip6){ { 0x20, 0x01, 0x0d, 0xb8, 0x02, 0xff, 0, last } };
	c->routes[0] = (struct prefix6){ { { 0x20, 0x01, 0x0d, 0xb8, 0x30, last } }, 48 };
	c->static_endpoint.v = 0xc0000200 + last;
	if (table_set(pipeline.table, c) != 0)
		abort();
}

static void start(void)
{
	static const uint8_t seed[16] = { 5 };
	struct pop_conf pop = { .ipv4 = { 0xc6336402 },
				.prefix_count = 2,
				.tunnel_prefix_count = 1 };

	if (digest_init() != 0)
		abort();
	pipeline = (struct pipeline){ .table = table_create(TUNNELS, 1, seed),
				      .counters = counters_create(TUNNELS),
				      .limiter = limiter_create(TUNNELS, 1000000, 1000000),
				      .asks = calloc(ROAM_BUDGET__COUNT, sizeof(*pipeline.asks)),
				      .digest = digest_ctx_create(),
				      .sha1 = sha1_set_choose(SHA1_AUTO),
				      .forward = { .expiry = 360, .probe_key = { 1 } },
				      .ayiya_port = 5072 };
	if (!pipeline.table || !pipeline.counters || !pipeline.limiter || !pipeline.digest ||
	    !pipeline.asks)
		abort();
	pop.own = (struct ip6){ { 0x20, 0x01, 0x0d, 0xb8, 0x02, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0,
				  0, 1 } };
	pop.prefixes[0] = (struct prefix6){ { { 0x20, 0x01, 0x0d, 0xb8, 0x02, 0xff } }, 48 };
	pop.prefixes[1] = (struct prefix6){ { { 0x20, 0x01, 0x0d, 0xb8, 0x30 } }, 40 };
	if (table_set_pop(pipeline.table, &pop) != 0)
		abort();
	add_tunnel(1, TUNNEL_AYIYA, 1);
	add_tunnel(2, TUNNEL_AYIYA, 2);
	add_tunnel(3, TUNNEL_HEARTBEAT, 3);
	add_tunnel(4, TUNNEL_STATIC, 4);
}

/* T2's has answered. */
static uint64_t home(uint32_t id)
{
	return endpoint_pack((struct endpoint4){ { 0xc0000200 + id }, id < 3 ? 4000 : 0 },
			     id == 2 ? ENDPOINT_ANSWERED : 0);
}

/* Every input begins with the same endpoints, so that a crash can be repeated. */
static void reset(void)
{
	static const uint8_t key[16] = { 7 };

	roam_free(pipeline.roam);
	pipeline.roam = roam_create(TUNNELS, (struct timestamp){ NOW - 15, 1, { 0 } }, key);
	if (!pipeline.roam)
		abort();
	for (size_t b = 0; b < ROAM_BUDGET__COUNT; b++) {
		pipeline.asks[b].added = 0;
		memset(pipeline.asks[b].next, 0, sizeof(pipeline.asks[b].next));
	}
	for (uint32_t id = 1; id <= TUNNELS; id++) {
		struct tunnel *t = table_by_id(pipeline.table, id);
		if (id != 4)
			atomic_store(&t->endpoint, home(id));
		atomic_store(&t->newest, NOW - 10);
		atomic_store(&t->highest, NOW - 10);
		atomic_store(&t->heard, NOW - 10);
		atomic_store(&t->probe, 0);
		atomic_store(&t->path, 0);
	}
}

/* Makes the inner packet the answer to an ask of `from` half a second ago. */
static void answer(uint8_t *inner, struct endpoint4 from, const uint8_t *identity)
{
	struct ask a = { .endpoint = endpoint_pack(from, 0), .asked_us = MONO_US - 500000 };
	struct route r = table_lookup(pipeline.table, (const struct ip6 *)identity);

	if (!r.conf)
		return;
	ask_build(inner, &a, r.conf, pipeline.forward.probe_key, 1);
	inner[40] = ICMP6_ECHO_REPLY;
	uint8_t client[16];
	memcpy(client, inner + 24, 16);
	memcpy(inner + 24, inner + 8, 16);
	memcpy(inner + 8, client, 16);
}

static void sign_ayiya(uint8_t *p, size_t len, struct endpoint4 from)
{
	bool sha256 = len >= 56 && p[1] == 0x84;

	if (len < 44 || (p[1] != 0x52 && !sha256))
		return;
	uint8_t sum[DIGEST_MAX_LEN];
	enum digest_alg alg = sha256 ? DIGEST_SHA256 : DIGEST_SHA1;
	size_t header = sha256 ? 56 : 44;
	be32_store(p + 4, p[4] == 0xff ? NOW - p[7] : NOW);
	if (len == header + ASK_LEN && p[header] == 0xff)
		answer(p + header, from, p + 8);
	if (!digest(pipeline.digest, alg, SECRET, strlen(SECRET), p + 24) ||
	    !digest(pipeline.digest, alg, p, len, sum))
		abort();
	memcpy(p + 24, sum, digest_len(alg));
}

/* Makes the last 32 bytes the right digest of those before them. */
static void sign_beat(uint8_t *p, size_t len)
{
	uint8_t sum[DIGEST_MAX_LEN];
	char hex[DIGEST_MAX_HEX];

	if (len < 32)
		return;
	memcpy(p + len - 32, SECRET, 32);
	if (!digest(pipeline.digest, DIGEST_MD5, p, len, sum))
		abort();
	hex_encode(sum, DIGEST_MD5_LEN, hex);
	memcpy(p + len - 32, hex, 32);
}

/* Makes the checksum right. */
static void seal_icmp4(uint8_t *p, size_t len)
{
	if (len < 4)
		return;
	p[2] = p[3] = 0;
	uint16_t sum = csum_fold(csum_add(0, p, len));
	p[2] = (uint8_t)(sum >> 8);
	p[3] = (uint8_t)sum;
}

static void fill(struct job *job, const uint8_t *header, const uint8_t *bytes, size_t there,
		 size_t len)
{
	uint8_t *block = malloc(JOB_HEADROOM + len + JOB_TAILROOM);

	if (!block)
		abort();
	memcpy(block + JOB_HEADROOM, bytes, there);
	memset(block + JOB_HEADROOM + there, 0, len - there);
	memset(job, 0x5a, sizeof(*job));
	job->source = (enum job_source)((header[0] >> 5) % (JOB_ASK + 1));
	job->data = block + JOB_HEADROOM;
	job->len = (uint32_t)len;
	job->from = (struct endpoint4){ { 0xc0000200u + (header[0] & 15) }, 4000 };
	job->outer_tos = header[1];
	job->gso = (struct gso){ 0, 0 };
	job->merged = job->source == JOB_FROM_PROTO41 && header[1] == 127;
	if (job->source == JOB_FROM_PROTO41 && header[1] & 128)
		job->gso = (struct gso){ (uint16_t)(1 + header[1] * 8), 60 };
	job->tunnel = job->source == JOB_PROBE
			      ? table_by_id(pipeline.table, 1 + header[1] % TUNNELS)
		      : job->source == JOB_ASK ? table_by_id(pipeline.table, 1 + header[1] % 3)
					       : NULL;
	job->endpoint = endpoint_pack(
		(struct endpoint4){ job->from.addr, header[1] % 3 < 2 ? 4000 : 0 }, 0);
	if (header[0] & 16 && job->source == JOB_FROM_AYIYA)
		sign_ayiya(job->data, len, job->from);
	if (header[0] & 16 && job->source == JOB_FROM_HEARTBEAT)
		sign_beat(job->data, len);
	if (header[0] & 16 && job->source == JOB_FROM_ICMP4)
		seal_icmp4(job->data, len);
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct job *job, size_t len)
{
	require((unsigned)job->drop < DROP__COUNT && job->drop != DROP_INTERNAL);
	require(job->event != EVENT_ICMP_ERROR ||
		(job->drop == DROP_NONE && job->icmp_error.about != 0));
	for (size_t o = 0; o < ARRAY_LEN(job->out); o++) {
		const struct out *out = &job->out[o];
		if (out->kind == OUT_NONE)
			continue;
		const uint8_t *first = o ? job->echo : job->data - JOB_HEADROOM;
		size_t room = o ? sizeof(job->echo) : JOB_HEADROOM + len + JOB_TAILROOM;
		require(out->data >= first && out->len > 0 && out->len <= room &&
			out->data + out->len <= first + room);
		if (out->kind == OUT_TUN || out->kind == OUT_PROTO41)
			require(out->len >= 40 && out->data[0] >> 4 == 6 &&
				out->len == 40u + out->data[4] * 256u + out->data[5]);
		require(job->source != JOB_FROM_ICMP4);
		require(out->gso.size == 0 ||
			(out->kind == OUT_TUN && out->gso.size == job->gso.size));
		require(out->kind == OUT_TUN ||
			(out->to.addr.v != 0 && (out->kind == OUT_UDP) == (out->to.port != 0)));
	}
}

/* A packet of `t` came from `place` (an endpoint word), and was accepted if `accepted`. */
static bool came_from(const struct job *jobs, size_t n, const struct tunnel *t, uint64_t place,
		      bool accepted)
{
	for (size_t i = 0; i < n; i++) {
		uint16_t port = jobs[i].source == JOB_FROM_HEARTBEAT ? 0 : jobs[i].from.port;
		struct endpoint4 from = { jobs[i].from.addr, port };
		bool signs = jobs[i].source == JOB_FROM_AYIYA ||
			     jobs[i].source == JOB_FROM_HEARTBEAT;
		bool refused = jobs[i].drop == DROP_REPLAY_STALE ||
			       jobs[i].drop == DROP_REPLAY_MOVE;
		if (signs && jobs[i].tunnel == t && !(accepted && refused) &&
		    endpoint_pack(from, 0) >> 16 == place >> 16)
			return true;
	}
	return false;
}

static void check_roaming(const struct job *jobs, size_t n)
{
	for (uint32_t id = 1; id < TUNNELS; id++) {
		const struct tunnel *t = table_by_id(pipeline.table, id);
		uint64_t now = atomic_load(&t->endpoint);
		bool moved = (now ^ home(id)) >> 16 != 0;
		require(!moved || came_from(jobs, n, t, now, true));
		require(atomic_load(&t->highest) >= NOW - 10);
	}
	for (size_t b = 0; b < ROAM_BUDGET__COUNT; b++) {
		for (uint64_t i = 0; i < pipeline.asks[b].added; i++) {
			const struct ask *a = &pipeline.asks[b].list[i];
			require(came_from(jobs, n, a->tunnel, a->endpoint, false) &&
				endpoint_of(a->endpoint).addr.v != 0xc6336402);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct job jobs[JOBS];
	size_t lens[JOBS], n = 0;

	if (!pipeline.table) {
		if (__lsan_disable)
			__lsan_disable();
		start();
		if (__lsan_enable)
			__lsan_enable();
	}
	reset();
	while (n < JOBS && size >= HEADER) {
		size_t left = size - HEADER, len = (data[2] & 0x7fu) << 8 | data[3];
		size_t there = len < left ? len : left;
		len = there < len && data[2] & 0x80 && there < PACKET_MAX
			      ? (len < PACKET_MAX ? len : PACKET_MAX)
			      : there;
		fill(&jobs[n], data, data + HEADER, there, len);
		lens[n++] = len;
		data += HEADER + there;
		size -= HEADER + there;
	}
	table_worker_enter(pipeline.table, 0);
	pipeline_run(&pipeline, jobs, n, (struct timestamp){ NOW, MONO_US, { NOW } });
	table_worker_leave(pipeline.table, 0);
	check_roaming(jobs, n);
	for (size_t i = 0; i < n; i++) {
		check(&jobs[i], lens[i]);
		free(jobs[i].data - JOB_HEADROOM);
	}
	return 0;
}
