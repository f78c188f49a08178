/* What the pipeline does besides dropping or forwarding a packet: endpoints and events, echoes,
 * errors, whole batches; and that invalid packets change nothing. */
#include "popd/core/pipeline.h"

#include "popd/core/forward.h"
#include "popd/core/probe.h"
#include "tests/unit/test_popd_fixture.h"

#define CLIENT1 "2001:db8:2ff:1::2"
#define CLIENT2 "2001:db8:2ff:2::2"
#define CLIENT3 "2001:db8:2ff:3::2"
#define CLIENT6 "2001:db8:2ff:6::2"
#define OUTSIDE "2001:db8:f00::1"

static struct endpoint4 home1(void)
{
	return at("192.0.2.1", 4001);
}

static uint64_t endpoint_of_tunnel(struct pop *p, uint32_t id)
{
	return atomic_load(&table_by_id(p->table, id)->endpoint);
}

/* ---- endpoints and events ---- */

static void a_move_is_an_event_with_the_old_endpoint_and_a_first_packet_another(void **state)
{
	struct pop p = pop_new();
	struct packet noop = ayiya(p.digest, CLIENT1, NULL, AYIYA_OF(.opcode = ZERO, .next = 59));
	struct job job;

	(void)state;
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA, noop, home1()), DROP_NONE);
	assert_int_equal(job.event, EVENT_NONE);
	job_end(&job);
	uint64_t before = endpoint_of_tunnel(&p, 1);
	noop = ayiya(p.digest, CLIENT1, NULL,
		     AYIYA_OF(.opcode = ZERO, .next = 59, .epoch = NOW + 1));
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA, noop, at("192.0.2.99", 7)),
			 DROP_NONE);
	assert_int_equal(job.event, EVENT_ENDPOINT_MOVED);
	assert_true(job.old_endpoint == before);
	assert_ptr_equal(job.tunnel, table_by_id(p.table, 1));
	assert_int_equal(endpoint_of(endpoint_of_tunnel(&p, 1)).port, 7);
	assert_int_equal(atomic_load(&p.counters->moves), 1);
	job_end(&job);
	pass(&p, EXPIRY + 2);
	noop = ayiya(p.digest, CLIENT1, NULL,
		     AYIYA_OF(.opcode = ZERO, .next = 59, .epoch = p.now.wall));
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA, noop, at("192.0.2.99", 7)),
			 DROP_NONE);
	assert_int_equal(job.event, EVENT_TUNNEL_UP);
	assert_int_equal(atomic_load(&p.counters->beats), 3);
	job_end(&job);
	pop_end(&p);
}

static void beats_come_from_a_fresh_port_each_time_and_do_not_move_the_tunnel(void **state)
{
	struct pop p = pop_new();
	struct job job;

	(void)state;
	for (uint16_t port = 1000; port < 1004; port++) {
		assert_int_equal(pop_run_one(&p, &job, JOB_FROM_HEARTBEAT,
					     beat(p.digest, CLIENT2, "sender", NOW, SECRET, "\n"),
					     at("192.0.2.2", port)),
				 DROP_NONE);
		assert_int_equal(job.event, EVENT_NONE);
		job_end(&job);
	}
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_HEARTBEAT,
				     beat(p.digest, CLIENT2, "192.0.2.77", NOW + 1, SECRET, ""),
				     at("192.0.2.77", 5)),
			 DROP_NONE);
	assert_int_equal(job.event, EVENT_ENDPOINT_MOVED);
	job_end(&job);
	assert_true(endpoint_of_tunnel(&p, 2) == endpoint_pack(at("192.0.2.77", 0), 0));
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT2, OUTSIDE), at("192.0.2.2", 0)),
			 DROP_ENDPOINT_MISMATCH);
	assert_int_equal(
		pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT2, OUTSIDE), at("192.0.2.77", 0)),
		DROP_NONE);
	pop_end(&p);
}

/* Its sender has the same clock, or none that matters: what comes from the uplink. */
static void a_step_of_the_wall_clock_takes_no_tunnel_down_and_keeps_none_up(void **state)
{
	static const int steps[] = { 3600, -3600, 86400, -86400 };
	const struct endpoint4 uplink = { { 0 }, 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct pop p = pop_new();
		p.now.wall = (uint32_t)(NOW + steps[i]);
		assert_int_equal(pop_send(&p, JOB_FROM_TUN, echo(OUTSIDE, CLIENT1), uplink),
				 DROP_NONE);
		assert_int_equal(pop_send(&p, JOB_FROM_TUN, echo(OUTSIDE, CLIENT2), uplink),
				 DROP_NONE);
		assert_int_equal(
			pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT2, OUTSIDE), at("192.0.2.2", 0)),
			DROP_NONE);
		p.now.mono.s += EXPIRY + 1; /* while the wall clock stands */
		assert_int_equal(pop_send(&p, JOB_FROM_TUN, echo(OUTSIDE, CLIENT1), uplink),
				 DROP_TUNNEL_DOWN);
		pop_end(&p);
	}
}

/* Anybody can send protocol 41 with the client's address as its source. */
static void protocol_41_alone_keeps_no_heartbeat_tunnel_up(void **state)
{
	struct pop p = pop_new();

	(void)state;
	pass(&p, EXPIRY - 10);
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT2, OUTSIDE), at("192.0.2.2", 0)),
			 DROP_NONE);
	pass(&p, 1);
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT2, OUTSIDE), at("192.0.2.2", 0)),
			 DROP_TUNNEL_DOWN);
	assert_int_equal(
		pop_send(&p, JOB_FROM_TUN, echo(OUTSIDE, CLIENT2), (struct endpoint4){ { 0 }, 0 }),
		DROP_TUNNEL_DOWN);
	pop_end(&p);
}

static struct packet probe_of(struct pop *p, uint32_t id, uint16_t sequence)
{
	struct packet probe = { .len = PROBE_LEN };

	probe_build(probe.b, conf_of_tunnel(table_by_id(p->table, id)),
		    p->pipeline.forward.probe_key, 1, sequence, p->now.mono_us);
	return probe;
}

/* What the client makes of it. */
static struct packet answer_to(struct packet p)
{
	uint8_t source[16];

	memcpy(source, p.b + 8, 16);
	memcpy(p.b + 8, p.b + 24, 16);
	memcpy(p.b + 24, source, 16);
	p.b[40] = 129;
	seal_icmp(&p);
	return p;
}

static void beats_and_answered_probes_keep_it_up(void **state)
{
	struct pop p = pop_new();
	struct packet answer;

	(void)state;
	pass(&p, EXPIRY - 10);
	answer = answer_to(probe_of(&p, 2, 1));
	p.now.mono_us += 20000;
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, answer, at("192.0.2.2", 0)), DROP_NONE);
	assert_int_equal(atomic_load(&p.counters->echo_received), 1);
	pass(&p, EXPIRY);
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT2, OUTSIDE), at("192.0.2.2", 0)),
			 DROP_NONE);
	/* the same answer again proves nothing */
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, answer, at("192.0.2.2", 0)),
			 DROP_POP_UNUSED);
	pass(&p, 1);
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT2, OUTSIDE), at("192.0.2.2", 0)),
			 DROP_TUNNEL_DOWN);
	pop_end(&p);
}

/* ---- a signature without the secret: SHA-1 can be extended ---- */

static uint32_t rol(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

/* One block of SHA-1 (FIPS 180-4 6.1.2), from the standard. */
static void sha1_block(uint32_t h[5], const uint8_t block[64])
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];

	for (size_t t = 0; t < 80; t++)
		w[t] = t < 16 ? (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
					(uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3]
			      : rol(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (size_t t = 0; t < 80; t++) {
		uint32_t f = t < 20   ? (b & c) | (~b & d)
			     : t < 40 ? b ^ c ^ d
			     : t < 60 ? (b & c) | (b & d) | (c & d)
				      : b ^ c ^ d;
		static const uint32_t k[] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
		uint32_t next = rol(a, 5) + f + e + k[t / 20] + w[t];
		e = d;
		d = c;
		c = rol(b, 30);
		b = a;
		a = next;
	}
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

/* Writes SHA-1's padding for a message of `len` bytes behind its last byte; returns the length with
 * it. */
static size_t sha1_pad(uint8_t *message, size_t len)
{
	size_t end = (len + 8) / 64 * 64 + 64;

	memset(message + len, 0, end - len);
	message[len] = 0x80;
	put32(message + end - 4, (uint32_t)len * 8);
	return end;
}

/* What somebody makes of a packet that he has seen: appends SHA-1's padding and `more` bytes, and
 * goes on hashing from its signature. */
static struct packet extended(struct packet p, size_t more)
{
	uint32_t h[5];
	uint8_t last[128] = { 0 };
	const uint8_t *sum = p.b + 24;

	for (size_t i = 0; i < 5; i++)
		h[i] = (uint32_t)sum[4 * i] << 24 | (uint32_t)sum[4 * i + 1] << 16 |
		       (uint32_t)sum[4 * i + 2] << 8 | sum[4 * i + 3];
	p.len = sha1_pad(p.b, p.len);
	memset(p.b + p.len, 0xee, more);
	memcpy(last, p.b + p.len, more);
	last[more] = 0x80;
	p.len += more;
	put32(last + (more + 8 < 64 ? 60 : 124), (uint32_t)p.len * 8);
	sha1_block(h, last);
	if (more + 8 >= 64)
		sha1_block(h, last + 64);
	for (size_t i = 0; i < 5; i++)
		put32(p.b + 24 + 4 * i, h[i]);
	return p;
}

static void an_extended_packet_is_refused_although_its_signature_is_right(void **state)
{
	struct pop p = pop_new();
	struct packet inner = echo(CLIENT1, OUTSIDE);
	const struct packet seen[] = {
		ayiya(p.digest, CLIENT1, &inner, AYIYA_OF(.epoch = NOW + 1)),
		ayiya(p.digest, CLIENT1, &inner, AYIYA_OF(.epoch = NOW + 1, .opcode = 3)),
		ayiya(p.digest, CLIENT1, NULL,
		      AYIYA_OF(.epoch = NOW + 1, .opcode = ZERO, .next = 59)),
		ayiya(p.digest, CLIENT1, NULL, AYIYA_OF(.epoch = NOW + 1, .opcode = ZERO)),
		ayiya(p.digest, CLIENT1, NULL, AYIYA_OF(.epoch = NOW + 1, .next = 59)),
	};
	uint64_t before = endpoint_of_tunnel(&p, 1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
		for (size_t more = 0; more < 100; more++) {
			struct job job;
			assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA,
						     extended(seen[i], more), at("203.0.113.9", 9)),
					 DROP_AYIYA_TRAILING);
			assert_int_equal(job.out[0].kind, OUT_NONE);
			assert_int_equal(job.out[1].kind, OUT_NONE);
			assert_int_equal(job.event, EVENT_NONE);
			job_end(&job);
		}
	}
	assert_true(endpoint_of_tunnel(&p, 1) == before);
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, seen[0], at("203.0.113.9", 9)), DROP_NONE);
	pop_end(&p);
}

/* ---- packets that anybody can send ---- */

static void wrong_signatures_from_elsewhere_are_the_pop_s(void **state)
{
	struct pop p = pop_new();
	struct packet bad = ayiya(p.digest, CLIENT1, NULL,
				  AYIYA_OF(.opcode = ZERO, .next = 59, .secret = "guess"));
	struct packet skewed = ayiya(p.digest, CLIENT1, NULL,
				     AYIYA_OF(.next = 59, .secret = "guess", .epoch = NOW - 999));
	struct packet bad_beat = beat(p.digest, CLIENT2, "192.0.2.77", NOW, "guess", "");

	(void)state;
	for (uint16_t port = 1; port < 200; port++) {
		p.now.mono_us += 1000000;
		assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, bad, at("192.0.2.1", port)),
				 DROP_FORGED);
		assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, skewed, at("203.0.113.9", port)),
				 DROP_FORGED);
		assert_int_equal(
			pop_send(&p, JOB_FROM_HEARTBEAT, bad_beat, at("203.0.113.9", port)),
			DROP_FORGED);
	}
	for (enum drop d = 1; d < DROP__COUNT; d++)
		assert_int_equal(tunnel_drops_of(&p, 1, d) + tunnel_drops_of(&p, 2, d), 0);
	assert_int_equal(drops_of(&p, DROP_FORGED), 3 * 199);
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, bad, home1()), DROP_AYIYA_SIGNATURE);
	assert_int_equal(tunnel_drops_of(&p, 1, DROP_AYIYA_SIGNATURE), 1);
	pop_end(&p);
}

static void a_tunnel_that_is_down_keeps_one_stranger_a_second(void **state)
{
	struct pop p = pop_new();
	const uint32_t ids[] = { 1, 5 };

	(void)state;
	pass(&p, EXPIRY);
	struct packet bad[] = {
		ayiya(p.digest, CLIENT1, NULL,
		      AYIYA_OF(.next = 59, .secret = "guess", .epoch = p.now.wall)),
		beat(p.digest, "2001:db8:2ff:5::2", "sender", p.now.wall, "guess", ""),
	};
	for (unsigned tenth = 0; tenth < 50; tenth++) {
		for (size_t i = 0; i < 2; i++)
			assert_int_equal(pop_send(&p, i ? JOB_FROM_HEARTBEAT : JOB_FROM_AYIYA,
						  bad[i],
						  (struct endpoint4){ { 0xcb007100 + tenth }, 9 }),
					 tenth % 10 ? DROP_FORGED : DROP_SECRET_UNKNOWN);
		p.now.mono_us += 100000;
	}
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(tunnel_drops_of(&p, ids[i], DROP_SECRET_UNKNOWN), 5);
		struct drop_note note = tunnel_last_of(&p, ids[i], DROP_SECRET_UNKNOWN);
		assert_int_equal(endpoint_of(note.peer).addr.v, 0xcb007100 + 40);
	}
	pop_end(&p);
}

static void protocol_41_from_elsewhere_fills_no_tunnel_s_book(void **state)
{
	struct pop p = pop_new();
	const struct endpoint4 stranger = at("203.0.113.9", 0);

	(void)state;
	/* T3 has not been heard yet: its user may have moved */
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT3, OUTSIDE), stranger),
				 DROP_ENDPOINT_MISMATCH);
		assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, echo("2001:db8:2ff:5::2", OUTSIDE),
					  stranger),
				 DROP_TUNNEL_DOWN);
		p.now.mono_us += 100000;
	}
	assert_int_equal(tunnel_drops_of(&p, 3, DROP_ENDPOINT_MISMATCH), 2);
	assert_int_equal(tunnel_drops_of(&p, 5, DROP_TUNNEL_DOWN), 2);
	assert_int_equal(
		pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT3, OUTSIDE), at("203.0.113.3", 0)),
		DROP_NONE);
	p.now.mono_us += 2000000;
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT3, OUTSIDE), stranger),
			 DROP_ENDPOINT_MISMATCH);
	assert_int_equal(tunnel_drops_of(&p, 3, DROP_ENDPOINT_MISMATCH), 2);
	assert_int_equal(drops_of(&p, DROP_ENDPOINT_MISMATCH), 21);
	pop_end(&p);
}

static void the_signature_is_answered_in_kind(void **state)
{
	struct pop p = pop_new();
	struct packet inner = echo(CLIENT1, OUTSIDE);
	struct job job;

	(void)state;
	for (int round = 0; round < 4; round++) {
		bool sha256 = round % 2;
		struct packet up = ayiya(p.digest, CLIENT1, &inner, AYIYA_OF(.sha256 = sha256));
		assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, up, home1()), DROP_NONE);
		assert_int_equal(pop_run_one(&p, &job, JOB_FROM_TUN, echo(OUTSIDE, CLIENT1),
					     (struct endpoint4){ { 0 }, 0 }),
				 DROP_NONE);
		assert_int_equal(job.out[0].kind, OUT_UDP);
		assert_int_equal(job.out[0].data[1], sha256 ? 0x84 : 0x52);
		assert_int_equal(job.out[0].len, (sha256 ? 56 : 44) + 104);
		job_end(&job);
	}
	pop_end(&p);
}

/* ---- AYIYA's own echo ---- */

static void check_response(struct pop *p, const struct out *out, const struct packet *payload,
			   uint8_t next)
{
	struct packet want = ayiya(p->digest, "2001:db8:2ff:1::1", payload,
				   AYIYA_OF(.opcode = 4, .next = next));

	assert_int_equal(out->kind, OUT_UDP);
	assert_int_equal(out->to.port, 4001);
	assert_int_equal(out->len, want.len);
	assert_memory_equal(out->data, want.b, want.len);
}

static void an_echo_request_is_answered_with_its_payload(void **state)
{
	struct pop p = pop_new();
	struct packet payload = { .len = 700 };
	struct job job;

	(void)state;
	for (size_t i = 0; i < payload.len; i++)
		payload.b[i] = (uint8_t)i;
	struct packet ask = ayiya(p.digest, CLIENT1, &payload, AYIYA_OF(.opcode = 2, .next = 59));
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA, ask, home1()), DROP_NONE);
	check_response(&p, &job.out[0], &payload, 59);
	assert_int_equal(job.out[1].kind, OUT_NONE);
	job_end(&job);
	pop_end(&p);
}

static void an_echo_request_that_forwards_does_both(void **state)
{
	struct pop p = pop_new();
	struct packet inner = echo(CLIENT1, OUTSIDE);
	struct job job;

	(void)state;
	struct packet ask = ayiya(p.digest, CLIENT1, &inner, AYIYA_OF(.opcode = 3));
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA, ask, home1()), DROP_NONE);
	assert_int_equal(job.out[0].kind, OUT_TUN);
	inner.b[7]--;
	assert_int_equal(job.out[0].len, inner.len);
	assert_memory_equal(job.out[0].data, inner.b, inner.len);
	check_response(&p, &job.out[1], NULL, 59);
	assert_true(job.out[1].data >= job.echo &&
		    job.out[1].data + job.out[1].len <= job.echo + sizeof(job.echo));
	job_end(&job);

	inner = echo("2001:db8:bad::1",
		     OUTSIDE); /* the inner packet is dropped, but the echo request is authentic */
	ask = ayiya(p.digest, CLIENT1, &inner, AYIYA_OF(.opcode = 3));
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA, ask, home1()),
			 DROP_SPOOFED_FROM_TUNNEL);
	assert_int_equal(job.out[0].kind, OUT_NONE);
	check_response(&p, &job.out[1], NULL, 59);
	job_end(&job);
	pop_end(&p);
}

static void forged_echo_requests_are_not_answered(void **state)
{
	struct pop p = pop_new();

	(void)state;
	for (uint8_t opcode = 2; opcode <= 3; opcode++) {
		struct job job;
		struct packet ask = ayiya(
			p.digest, CLIENT1, NULL,
			AYIYA_OF(.opcode = opcode, .next = 59, .secret = "guess"));
		assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA, ask, home1()),
				 DROP_AYIYA_SIGNATURE);
		assert_int_equal(job.out[0].kind, OUT_NONE);
		assert_int_equal(job.out[1].kind, OUT_NONE);
		job_end(&job);
	}
	pop_end(&p);
}

/* ---- errors and their limit ---- */

static void errors_are_held_back_when_no_token_is_left(void **state)
{
	struct pop p = pop_new();
	unsigned sent = 0;

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct job job;
		assert_int_equal(pop_run_one(&p, &job, JOB_FROM_TUN,
					     echo(OUTSIDE, "2001:db8:2ff:3::9"),
					     (struct endpoint4){ { 0 }, 0 }),
				 DROP_TUNNEL_NET_HOST);
		sent += job.out[0].kind != OUT_NONE;
		job_end(&job);
	}
	assert_int_equal(sent, 100);
	assert_int_equal(atomic_load(&p.counters->answers), 100);
	assert_int_equal(atomic_load(&p.counters->answers_limited), 400);
	/* another tunnel's bucket is full, and echo replies need no token */
	struct job job;
	(void)pop_run_one(&p, &job, JOB_FROM_TUN, echo(OUTSIDE, "2001:db8:2ff:6::9"),
			  (struct endpoint4){ { 0 }, 0 });
	assert_int_equal(job.out[0].kind, OUT_TUN);
	job_end(&job);
	(void)pop_run_one(&p, &job, JOB_FROM_TUN, echo(OUTSIDE, "2001:db8:2ff:3::1"),
			  (struct endpoint4){ { 0 }, 0 });
	assert_int_equal(job.out[0].kind, OUT_TUN);
	job_end(&job);
	pop_end(&p);
}

/* Microseconds of a flood of 20,000 packets a second of each kind, and of a packet too big in
 * 20,000 us, which is half of the tunnel's rate. */
enum { FLOOD_STEP = 50, TOO_BIG_STEP = 20000, FLOOD_END = 2000000 };

static void floods_of_small_packets_hold_no_packet_too_big_back(void **state)
{
	static const char *const floods[] = {
		"2001:db8:2ff:6::1",    /* a closed port of the tunnel's own end */
		"2001:db8:2ff:6::99",   /* another host of its /64 */
		"2001:db8:2ff:777::2",  /* an unallocated prefix */
		"2001:db8:2ff:ffff::1", /* a closed port of popd */
	};
	const struct endpoint4 uplink = { { 0 }, 0 };
	struct pop p = pop_new();
	struct packet big = ipv6(OUTSIDE, CLIENT6, 17, 64, NULL, 1441);
	unsigned wanted = 0, told = 0;
	int64_t start = p.now.mono_us;
	struct job job;

	(void)state;
	for (int64_t us = 0; us < FLOOD_END; us += FLOOD_STEP) {
		p.now.mono_us = start + us;
		for (size_t i = 0; i < ARRAY_LEN(floods); i++)
			(void)pop_send(&p, JOB_FROM_TUN, udp(OUTSIDE, floods[i]), uplink);
		(void)pop_send(&p, JOB_FROM_TUN, with_hops(echo(OUTSIDE, CLIENT6), 1), uplink);
		if (us % TOO_BIG_STEP != 0)
			continue;
		assert_int_equal(pop_run_one(&p, &job, JOB_FROM_TUN, big, uplink), DROP_TOO_BIG);
		wanted++;
		told += job.out[0].kind == OUT_TUN && job.out[0].data[40] == 2;
		job_end(&job);
	}
	assert_int_equal(told, wanted);
	/* the floods themselves were held back */
	assert_in_range(atomic_load(&p.counters->answers_limited), 150000, 200000);
	pop_end(&p);
}

/* ---- what the client of a tunnel is told that does not carry its packets any more ---- */

/* Checks an ICMPv6 "administratively prohibited" by `near` to `inner`'s sender that quotes it. */
static void assert_prohibits(const uint8_t *got, size_t len, const char *near,
			     const struct packet *inner)
{
	struct ip6 source = addr(near);

	assert_int_equal(len, 48 + inner->len);
	assert_int_equal(got[6], 58);
	assert_memory_equal(got + 8, source.b, 16);
	assert_memory_equal(got + 24, inner->b + 8, 16);
	assert_int_equal(got[40], 1);
	assert_int_equal(got[41], 1);
	assert_int_equal(plain_csum(got, got + 40, len - 40, 58), 0);
	assert_memory_equal(got + 48, inner->b, inner->len);
}

static void assert_ayiya_client_is_told(struct pop *p, const struct job *job, const char *near,
					const struct packet *inner)
{
	const struct out *out = &job->out[0];
	struct packet payload = { .len = out->len - 44 };

	assert_int_equal(out->kind, OUT_UDP);
	assert_true(out->to.addr.v == job->from.addr.v && out->to.port == job->from.port);
	memcpy(payload.b, out->data + 44, payload.len);
	assert_prohibits(payload.b, payload.len, near, inner);
	struct packet want = ayiya(p->digest, near, &payload, AYIYA_GOOD);
	assert_memory_equal(out->data, want.b, want.len);
}

static void assert_41_client_is_told(const struct job *job, const char *near,
				     const struct packet *inner)
{
	const struct out *out = &job->out[0];

	assert_int_equal(out->kind, OUT_PROTO41);
	assert_int_equal(out->to.addr.v, job->from.addr.v);
	assert_false(out->dont_fragment);
	assert_prohibits(out->data, out->len, near, inner);
}

static void the_client_of_a_disabled_tunnel_is_told(void **state)
{
	struct pop p = pop_new();
	struct packet inner = echo("2001:db8:2ff:4::2", OUTSIDE), from6 = echo(CLIENT6, OUTSIDE);
	struct tunnel_conf *c = conf_new(p.digest, 6, TUNNEL_STATIC, "2001:db8:2ff:6::", NULL);
	struct job job;

	(void)state;
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA,
				     ayiya(p.digest, "2001:db8:2ff:4::2", &inner, AYIYA_GOOD),
				     at("203.0.113.9", 7)),
			 DROP_TUNNEL_DISABLED);
	assert_ayiya_client_is_told(&p, &job, "2001:db8:2ff:4::1", &inner);
	job_end(&job);
	assert_int_equal(endpoint_of_tunnel(&p, 4), 0);
	/* nobody else is */
	(void)pop_run_one(&p, &job, JOB_FROM_AYIYA,
			  ayiya(p.digest, "2001:db8:2ff:4::2", &inner, AYIYA_OF(.secret = "no")),
			  at("203.0.113.9", 7));
	assert_int_equal(job.out[0].kind, OUT_NONE);
	job_end(&job);
	(void)pop_run_one(
		&p, &job, JOB_FROM_AYIYA,
		ayiya(p.digest, "2001:db8:2ff:4::2", &inner, AYIYA_OF(.epoch = NOW - 121)),
		at("203.0.113.9", 7));
	assert_int_equal(job.out[0].kind, OUT_NONE);
	job_end(&job);
	c->static_endpoint = addr4("203.0.113.6");
	c->enabled = false;
	pop_add(&p, c);
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_PROTO41, from6, at("203.0.113.6", 0)),
			 DROP_TUNNEL_DISABLED);
	assert_41_client_is_told(&job, "2001:db8:2ff:6::1", &from6);
	job_end(&job);
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_PROTO41, from6, at("203.0.113.7", 0)),
			 DROP_TUNNEL_DISABLED);
	assert_int_equal(job.out[0].kind, OUT_NONE);
	job_end(&job);
	pop_end(&p);
}

static void it_is_told_at_the_rate_of_errors_and_never_about_an_error(void **state)
{
	struct pop p = pop_new();
	struct packet inner = echo("2001:db8:2ff:4::2", OUTSIDE),
		      error = icmp("2001:db8:2ff:4::2", OUTSIDE, 1, 4, 64);
	unsigned told = 0;
	struct job job;

	(void)state;
	(void)pop_run_one(&p, &job, JOB_FROM_AYIYA,
			  ayiya(p.digest, "2001:db8:2ff:4::2", &error, AYIYA_GOOD), home1());
	assert_int_equal(job.drop, DROP_TUNNEL_DISABLED);
	assert_int_equal(job.out[0].kind, OUT_NONE);
	job_end(&job);
	for (int i = 0; i < 300; i++) {
		(void)pop_run_one(&p, &job, JOB_FROM_AYIYA,
				  ayiya(p.digest, "2001:db8:2ff:4::2", &inner, AYIYA_GOOD),
				  home1());
		told += job.out[0].kind != OUT_NONE;
		job_end(&job);
	}
	assert_int_equal(told, 100);
	pop_end(&p);
}

static void the_ayiya_client_of_a_tunnel_of_another_type_is_told(void **state)
{
	struct pop p = pop_new();
	struct packet inner = echo(CLIENT3, OUTSIDE);
	struct job job;

	(void)state;
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_AYIYA,
				     ayiya(p.digest, CLIENT3, &inner, AYIYA_GOOD),
				     at("203.0.113.9", 7)),
			 DROP_TUNNEL_TYPE);
	assert_ayiya_client_is_told(&p, &job, "2001:db8:2ff:3::1", &inner);
	job_end(&job);
	pop_end(&p);
}

static void the_former_endpoint_of_protocol_41_is_told_for_a_day(void **state)
{
	struct pop p = pop_new();
	struct packet inner = echo(CLIENT1, OUTSIDE), lost = echo("2001:db8:2ff:77::2", OUTSIDE),
		      subnet = echo("2001:db8:30ff::7", OUTSIDE);
	struct ip6 one = addr("2001:db8:2ff:1::"), net = addr("2001:db8:2ff:77::");
	const struct endpoint4 home = at("203.0.113.9", 0);
	const uint32_t now = (uint32_t)(p.now.mono_us / 1000000);
	struct job job;

	(void)state;
	gone_remember(table_gone(p.table), home.addr, &one, now); /* T1 was static */
	gone_remember(table_gone(p.table), home.addr, &net, now); /* deleted */
	for (int day = 0; day < 2; day++) {
		assert_int_equal(pop_run_one(&p, &job, JOB_FROM_PROTO41, inner, home),
				 DROP_TUNNEL_TYPE);
		if (day == 0)
			assert_41_client_is_told(&job, "2001:db8:2ff:1::1", &inner);
		else
			assert_int_equal(job.out[0].kind, OUT_NONE);
		job_end(&job);
		assert_int_equal(pop_run_one(&p, &job, JOB_FROM_PROTO41, lost, home),
				 day ? DROP_TUNNEL_UNKNOWN : DROP_TUNNEL_DELETED);
		if (day == 0)
			assert_41_client_is_told(&job, "2001:db8:2ff:77::1", &lost);
		else
			assert_int_equal(job.out[0].kind, OUT_NONE);
		job_end(&job);
		assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, subnet, home),
				 day ? DROP_TUNNEL_UNKNOWN : DROP_TUNNEL_DELETED);
		/* from another address, or not from our prefixes */
		assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, lost, at("203.0.113.8", 0)),
				 DROP_TUNNEL_UNKNOWN);
		assert_int_equal(
			pop_send(&p, JOB_FROM_PROTO41, echo("2001:db8:f00::9", OUTSIDE), home),
			DROP_TUNNEL_UNKNOWN);
		p.now.mono_us += INT64_C(86400) * 1000000;
	}
	pop_end(&p);
}

/* Its /64 belongs to another tunnel by now, and its address may be anybody's. */
static void the_client_of_a_tunnel_that_is_gone_uses_up_nothing_of_the_next_one(void **state)
{
	struct pop p = pop_new();
	struct packet inner = echo(CLIENT6, OUTSIDE);
	struct ip6 net = addr("2001:db8:2ff:6::");
	unsigned told = 0;
	struct job job;

	(void)state;
	assert_int_equal(pop_send(&p, JOB_FROM_PROTO41, inner, at("203.0.113.6", 0)), DROP_NONE);
	gone_remember(table_gone(p.table), addr4("203.0.113.9"), &net,
		      (uint32_t)(p.now.mono_us / 1000000));
	for (int i = 0; i < 300; i++) {
		(void)pop_run_one(&p, &job, JOB_FROM_PROTO41, inner, at("203.0.113.9", 0));
		assert_int_equal(job.drop, DROP_ENDPOINT_MISMATCH);
		told += job.out[0].kind != OUT_NONE;
		job_end(&job);
	}
	assert_int_equal(told, 300);
	assert_int_equal(tunnel_drops_of(&p, 6, DROP_ENDPOINT_MISMATCH), 0);
	assert_true(limiter_take(p.limiter, LIMIT_UNREACHABLE, table_by_id(p.table, 6)->slot,
				 p.now.mono_us));
	pop_end(&p);
}

static void the_memory_of_endpoints_is_bounded_and_forgets_the_oldest(void **state)
{
	struct pop p = pop_new();
	struct gone *g = table_gone(p.table);
	struct ip6 found;

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		struct ip6 net = { { 0x20, 1, 0xd, 0xb8, 0, 0, 0, (uint8_t)i } };
		gone_remember(g, addr4("203.0.113.9"), &net, 100 + i);
	}
	for (uint32_t i = 0; i < 6; i++) {
		struct ip6 net = { { 0x20, 1, 0xd, 0xb8, 0, 0, 0, (uint8_t)i } };
		assert_int_equal(gone_find(g, addr4("203.0.113.9"), &net, false, 110, &found),
				 i >= 2);
	}
	/* every other address has room somewhere */
	for (uint32_t i = 1; i <= 100000; i++) {
		struct ip6 net = { { 0x20, 2, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
		gone_remember(g, (struct ip4){ i * 977 }, &net, 200);
		assert_true(gone_find(g, (struct ip4){ i * 977 }, &net, false, 200, &found));
		assert_true(ip6_equal(&found, &net));
	}
	gone_remember(g, (struct ip4){ 0 }, &found, 200);
	assert_false(gone_find(g, (struct ip4){ 0 }, &found, true, 200, &found));
	pop_end(&p);
}

static void no_tunnel_ends_at_a_pop(void **state)
{
	struct pop p = pop_new();
	struct pop_conf conf = *table_pop(p.table);
	const struct ip4 peers[] = { addr4("203.0.113.6"), addr4("192.0.2.2"),
				     addr4("192.0.2.99") };
	const struct endpoint4 uplink = { { 0 }, 0 };
	struct packet noop = ayiya(p.digest, CLIENT1, NULL,
				   AYIYA_OF(.opcode = ZERO, .next = 59, .epoch = NOW + 1));

	(void)state;
	pop_set_peers(&conf, peers, ARRAY_LEN(peers));
	assert_int_equal(table_set_pop(p.table, &conf), 0);
	/* the endpoints that were one are gone, static or learnt */
	assert_int_equal(pop_send(&p, JOB_FROM_TUN, echo(OUTSIDE, CLIENT6), uplink),
			 DROP_NO_ENDPOINT);
	assert_int_equal(endpoint_of_tunnel(&p, 2), 0);
	assert_int_equal(pop_send(&p, JOB_FROM_TUN, echo(OUTSIDE, CLIENT3), uplink), DROP_NONE);
	/* and nobody takes one; this PoP's own is one whether the list has it or not */
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, noop, at(POP_IPV4_TEXT, 4001)),
			 DROP_OUTER_POP);
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, noop, at("192.0.2.99", 4001)),
			 DROP_OUTER_POP);
	assert_int_equal(pop_send(&p, JOB_FROM_HEARTBEAT,
				  beat(p.digest, CLIENT2, "sender", NOW + 1, SECRET, ""),
				  at("192.0.2.2", 9)),
			 DROP_OUTER_POP);
	assert_int_equal(
		pop_send(&p, JOB_FROM_PROTO41, echo(CLIENT6, OUTSIDE), at("203.0.113.6", 0)),
		DROP_OUTER_POP);
	(void)restore(p.table, 2, endpoint_pack(at("192.0.2.99", 0), 0), NOW, NOW);
	assert_int_equal(endpoint_of_tunnel(&p, 2), 0);
	struct tunnel_conf *c = conf_new(p.digest, 9, TUNNEL_STATIC, "2001:db8:2ff:9::", NULL);
	c->static_endpoint = peers[2];
	pop_add(&p, c);
	assert_int_equal(endpoint_of_tunnel(&p, 9), 0);
	/* once the PoP is elsewhere, the configured endpoints count again */
	pop_set_peers(&conf, peers, 0);
	assert_int_equal(table_set_pop(p.table, &conf), 0);
	assert_int_equal(pop_send(&p, JOB_FROM_TUN, echo(OUTSIDE, CLIENT6), uplink), DROP_NONE);
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, noop, at("192.0.2.99", 4001)), DROP_NONE);
	pop_end(&p);
}

static void without_an_address_of_its_own_popd_says_nothing(void **state)
{
	struct pop p = pop_new();
	struct pop_conf conf = *table_pop(p.table);
	struct job job;

	(void)state;
	memset(&conf.own, 0, sizeof(conf.own));
	assert_int_equal(table_set_pop(p.table, &conf), 0);
	assert_int_equal(pop_run_one(&p, &job, JOB_FROM_TUN, echo(OUTSIDE, "2001:db8:30ff::1"),
				     (struct endpoint4){ { 0 }, 0 }),
			 DROP_NO_SUCH_TUNNEL);
	assert_int_equal(job.out[0].kind, OUT_NONE);
	job_end(&job);
	pop_end(&p);
}

/* ---- invalid packets ---- */

struct words {
	uint64_t endpoint;
	uint64_t path;
	uint32_t newest, heard, probe, none;
};

static struct words words_of(struct pop *p, uint32_t id)
{
	const struct tunnel *t = table_by_id(p->table, id);

	return (struct words){ atomic_load(&t->endpoint), atomic_load(&t->path),
			       atomic_load(&t->newest),   atomic_load(&t->heard),
			       atomic_load(&t->probe),    0 };
}

static void any_single_wrong_bit_in_a_signed_packet_changes_nothing_but_counters(void **state)
{
	struct pop p = pop_new();
	struct packet inner = echo(CLIENT1, OUTSIDE);
	struct packet good[] = { ayiya(p.digest, CLIENT1, &inner, AYIYA_OF(.epoch = NOW + 1)),
				 ayiya(p.digest, CLIENT1, &inner,
				       AYIYA_OF(.epoch = NOW + 1, .sha256 = true)),
				 beat(p.digest, CLIENT2, "sender", NOW + 1, SECRET, "") };

	(void)state;
	for (size_t g = 0; g < ARRAY_LEN(good); g++) {
		bool is_beat = g == 2;
		struct words before = words_of(&p, is_beat ? 2 : 1);
		for (size_t bit = 0; bit < good[g].len * 8; bit++) {
			struct packet junk = good[g];
			struct job job;
			junk.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			/* a hexadecimal digit in upper case is the same digit */
			if (is_beat && bit / 8 >= junk.len - 32 && bit % 8 == 5 &&
			    good[g].b[bit / 8] > '9')
				continue;
			enum drop d = pop_run_one(&p, &job,
						  is_beat ? JOB_FROM_HEARTBEAT : JOB_FROM_AYIYA,
						  junk, at("203.0.113.9", 9));
			struct words after = words_of(&p, is_beat ? 2 : 1);
			if (d == DROP_NONE || memcmp(&before, &after, sizeof(before)) != 0)
				fail_msg("packet %zu, bit %zu", g, bit);
			assert_int_equal(job.out[0].kind, OUT_NONE);
			assert_int_equal(job.event, EVENT_NONE);
			job_end(&job);
		}
		assert_int_equal(pop_send(&p, is_beat ? JOB_FROM_HEARTBEAT : JOB_FROM_AYIYA,
					  good[g], at("203.0.113.9", 9)),
				 DROP_NONE);
		assert_true(table_delete(p.table, 1));
		table_reclaim(p.table);
		pop_add(&p, conf_new(p.digest, 1, TUNNEL_AYIYA, "2001:db8:2ff:1::", NULL));
		restore(p.table, 1, endpoint_pack(home1(), 0), NOW - 10, NOW - 10);
	}
	pop_end(&p);
}

static void a_tunnel_without_a_secret_trusts_nobody(void **state)
{
	struct pop p = pop_new();
	struct tunnel_conf *c = conf_new(p.digest, 9, TUNNEL_AYIYA, "2001:db8:2ff:9::", NULL);

	(void)state;
	assert_int_equal(tunnel_conf_set_secret(c, p.digest, "", 0), 0);
	pop_add(&p, c);
	struct packet noop = ayiya(p.digest, "2001:db8:2ff:9::2", NULL,
				   AYIYA_OF(.opcode = ZERO, .next = 59, .secret = ""));
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, noop, home1()), DROP_SECRET_UNKNOWN);
	pop_end(&p);
}

static void the_secret_does_not_stay_in_the_buffer_of_a_beat(void **state)
{
	struct pop p = pop_new();
	struct job job;

	(void)state;
	(void)pop_run_one(&p, &job, JOB_FROM_HEARTBEAT,
			  beat(p.digest, CLIENT2, "sender", NOW, SECRET, ""), at("192.0.2.2", 1));
	assert_null(memmem(job.data, job.len, SECRET, strlen(SECRET)));
	job_end(&job);
	pop_end(&p);
}

/* ---- batches ---- */

enum { MIX = JOB_BATCH };

/* All sources, valid and invalid packets; but one hash method, since the last one in a batch
 * applies to all of its packets. */
static void mix(struct pop *p, struct job *jobs)
{
	for (size_t i = 0; i < MIX; i++) {
		struct packet inner = i % 5 ? echo(CLIENT1, i % 2 ? CLIENT3 : OUTSIDE)
					    : udp("2001:db8:bad::1", OUTSIDE),
			      packet;
		struct endpoint4 from = home1();
		enum job_source source = JOB_FROM_AYIYA;
		switch (i % 6) {
		case 0:
			source = JOB_FROM_TUN;
			packet = echo(OUTSIDE, i % 4 ? CLIENT1 : "2001:db8:2ff:3::5");
			break;
		case 1:
			source = JOB_FROM_HEARTBEAT;
			packet = beat(p->digest, CLIENT2, "sender", NOW,
				      i % 4 == 1 ? SECRET : "guess", "");
			from = at("192.0.2.2", 9);
			break;
		case 2:
			source = JOB_FROM_PROTO41;
			packet = echo(CLIENT3, i % 4 ? CLIENT1 : OUTSIDE);
			from = at("203.0.113.3", 0);
			break;
		default:
			packet = ayiya(p->digest, CLIENT1, &inner,
				       AYIYA_OF(.opcode = (uint8_t)(1 + i % 3)));
		}
		job_init(&jobs[i], source, &packet, from, 0);
	}
}

static bool is_same_out(const struct out *a, const struct out *b)
{
	return a->kind == b->kind &&
	       (a->kind == OUT_NONE ||
		(a->len == b->len && memcmp(a->data, b->data, a->len) == 0 && a->tos == b->tos &&
		 a->to.addr.v == b->to.addr.v && a->to.port == b->to.port));
}

static void a_batch_does_what_its_packets_do_one_by_one(void **state)
{
	static struct job together[MIX], alone[MIX];
	struct pop p = pop_new(), q = pop_new();

	(void)state;
	mix(&p, together);
	mix(&q, alone);
	pop_run(&p, together, MIX);
	for (size_t i = 0; i < MIX; i++)
		pop_run(&q, &alone[i], 1);
	for (size_t i = 0; i < MIX; i++) {
		if (together[i].drop != alone[i].drop)
			fail_msg("%zu: %s together, %s alone", i, drop_name(together[i].drop),
				 drop_name(alone[i].drop));
		assert_true(is_same_out(&together[i].out[0], &alone[i].out[0]));
		assert_true(is_same_out(&together[i].out[1], &alone[i].out[1]));
		assert_int_equal(together[i].event, alone[i].event);
	}
	for (enum drop d = 0; d < DROP__COUNT; d++)
		assert_int_equal(drops_of(&p, d), drops_of(&q, d));
	assert_int_equal(atomic_load(&p.counters->packets_in),
			 atomic_load(&q.counters->packets_in));
	assert_int_equal(atomic_load(&p.counters->bytes_out), atomic_load(&q.counters->bytes_out));
	for (size_t i = 0; i < MIX; i++) {
		job_end(&together[i]);
		job_end(&alone[i]);
	}
	pop_end(&p);
	pop_end(&q);
}

static void no_batch_is_too_small(void **state)
{
	struct pop p = pop_new();
	struct job none;

	(void)state;
	pop_run(&p, &none, 0);
	pop_end(&p);
}

static void traffic_is_counted_both_ways_and_answers_with_it(void **state)
{
	struct pop p = pop_new();
	const struct tunnel_counters *one = &p.counters->tunnels[table_by_id(p.table, 1)->slot];
	const struct tunnel_counters *three = &p.counters->tunnels[table_by_id(p.table, 3)->slot];
	struct packet to_three = echo(CLIENT1, CLIENT3),
		      to_pop = echo(CLIENT1, "2001:db8:2ff:1::1");

	(void)state;
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA,
				  ayiya(p.digest, CLIENT1, &to_three, AYIYA_GOOD), home1()),
			 DROP_NONE);
	assert_int_equal(pop_send(&p, JOB_FROM_AYIYA, ayiya(p.digest, CLIENT1, &to_pop, AYIYA_GOOD),
				  home1()),
			 DROP_NONE);
	assert_int_equal(atomic_load(&one->packets_in), 2);
	assert_int_equal(atomic_load(&one->bytes_in), 2 * 104);
	assert_int_equal(atomic_load(&one->packets_out), 1);
	assert_int_equal(atomic_load(&three->packets_out), 1);
	assert_int_equal(atomic_load(&three->bytes_out), 104);
	assert_int_equal(atomic_load(&p.counters->packets_in), 2);
	assert_int_equal(atomic_load(&p.counters->packets_out), 2);
	pop_end(&p);
}

static void a_gso_packet_passes_whole_and_counts_as_its_segments(void **state)
{
	struct pop p = pop_new();
	struct packet inner = ipv6("2001:db8:2ff:3::2", "2001:db8:f00::1", 6, 64, NULL, 20 + 1000);
	struct job job;

	(void)state;
	job_init(&job, JOB_FROM_PROTO41, &inner, at("203.0.113.3", 0), 0);
	job.gso = (struct gso){ 300, 60 };
	pop_run(&p, &job, 1);
	assert_int_equal(job.drop, DROP_NONE);
	assert_int_equal(job.out[0].kind, OUT_TUN);
	assert_int_equal(job.out[0].len, inner.len);
	assert_int_equal(job.out[0].gso.size, 300);
	assert_int_equal(job.out[0].gso.header, 60);
	assert_int_equal(job.out[0].data[7], 63);
	const struct tunnel_counters *t = &p.counters->tunnels[table_by_id(p.table, 3)->slot];
	assert_int_equal(atomic_load(&t->packets_in), 4);
	assert_int_equal(atomic_load(&t->bytes_in), 4 * 60 + 1000);
	assert_int_equal(atomic_load(&p.counters->packets_in), 4);
	job_end(&job);
	pop_end(&p);
}

static void only_packets_to_outside_addresses_are_in_transit(void **state)
{
	static const struct {
		const char *destination;
		uint8_t hops;
		bool transit;
	} rows[] = {
		{ "2001:db8:f00::1", 64, true },    { "2001:db8:f00::1", 2, true },
		{ "2001:db8:f00::1", 1, false },    { "2001:db8:f00::1", 0, false },
		{ "2001:db8:2ff:1::2", 64, false }, { "2001:db8:2ff:ffff::1", 64, false },
		{ "2001:db8:3001::9", 64, false },  { "2001:db8:2ff:777::1", 64, false },
		{ "ff02::1", 64, false },           { "ff0e::1", 64, false },
		{ "fe80::1", 64, false },           { "::1", 64, false },
		{ "::ffff:192.0.2.1", 64, false },
	};
	struct pop p = pop_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct packet inner = ipv6("2001:db8:2ff:3::2", rows[i].destination, 6,
					   rows[i].hops, NULL, 40);
		assert_int_equal(forward_is_transit(table_pop(p.table), inner.b), rows[i].transit);
	}
	pop_end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_move_is_an_event_with_the_old_endpoint_and_a_first_packet_another),
		cmocka_unit_test(beats_come_from_a_fresh_port_each_time_and_do_not_move_the_tunnel),
		cmocka_unit_test(a_step_of_the_wall_clock_takes_no_tunnel_down_and_keeps_none_up),
		cmocka_unit_test(protocol_41_alone_keeps_no_heartbeat_tunnel_up),
		cmocka_unit_test(beats_and_answered_probes_keep_it_up),
		cmocka_unit_test(an_extended_packet_is_refused_although_its_signature_is_right),
		cmocka_unit_test(wrong_signatures_from_elsewhere_are_the_pop_s),
		cmocka_unit_test(a_tunnel_that_is_down_keeps_one_stranger_a_second),
		cmocka_unit_test(protocol_41_from_elsewhere_fills_no_tunnel_s_book),
		cmocka_unit_test(the_signature_is_answered_in_kind),
		cmocka_unit_test(an_echo_request_is_answered_with_its_payload),
		cmocka_unit_test(an_echo_request_that_forwards_does_both),
		cmocka_unit_test(forged_echo_requests_are_not_answered),
		cmocka_unit_test(errors_are_held_back_when_no_token_is_left),
		cmocka_unit_test(floods_of_small_packets_hold_no_packet_too_big_back),
		cmocka_unit_test(the_client_of_a_disabled_tunnel_is_told),
		cmocka_unit_test(it_is_told_at_the_rate_of_errors_and_never_about_an_error),
		cmocka_unit_test(the_ayiya_client_of_a_tunnel_of_another_type_is_told),
		cmocka_unit_test(the_former_endpoint_of_protocol_41_is_told_for_a_day),
		cmocka_unit_test(
			the_client_of_a_tunnel_that_is_gone_uses_up_nothing_of_the_next_one),
		cmocka_unit_test(the_memory_of_endpoints_is_bounded_and_forgets_the_oldest),
		cmocka_unit_test(no_tunnel_ends_at_a_pop),
		cmocka_unit_test(without_an_address_of_its_own_popd_says_nothing),
		cmocka_unit_test(
			any_single_wrong_bit_in_a_signed_packet_changes_nothing_but_counters),
		cmocka_unit_test(a_tunnel_without_a_secret_trusts_nobody),
		cmocka_unit_test(the_secret_does_not_stay_in_the_buffer_of_a_beat),
		cmocka_unit_test(a_batch_does_what_its_packets_do_one_by_one),
		cmocka_unit_test(no_batch_is_too_small),
		cmocka_unit_test(traffic_is_counted_both_ways_and_answers_with_it),
		cmocka_unit_test(a_gso_packet_passes_whole_and_counts_as_its_segments),
		cmocka_unit_test(only_packets_to_outside_addresses_are_in_transit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
