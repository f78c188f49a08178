/* Every reason to drop a packet, reached by a packet that has only this one fault, and counted for
 * the right tunnel. A reason without a row fails. */
#include <errno.h>

#include "popd/core/drop_detail.h"
#include "tests/unit/test_popd_fixture.h"

#define CLIENT1 "2001:db8:2ff:1::2"
#define CLIENT2 "2001:db8:2ff:2::2"
#define CLIENT3 "2001:db8:2ff:3::2"
#define CLIENT5 "2001:db8:2ff:5::2"
#define CLIENT6 "2001:db8:2ff:6::2"
#define OUTSIDE "2001:db8:f00::1"
#define HOME1 "192.0.2.1", 4001
#define HOME2 "192.0.2.2", 0
#define HOME3 "203.0.113.3", 0

/* What a row sends. */
struct sent {
	enum job_source source;
	struct packet packet;
	struct endpoint4 from;
	uint8_t tos;
	bool merged;
};

static struct sent from_ayiya(struct packet p)
{
	return (struct sent){ JOB_FROM_AYIYA, p, at(HOME1), 0, false };
}
static struct sent from_static(struct packet p)
{
	return (struct sent){ JOB_FROM_PROTO41, p, at(HOME3), 0, false };
}
static struct sent from_tun(struct packet p)
{
	return (struct sent){ JOB_FROM_TUN, p, { { 0 }, 0 }, 0, false };
}
static struct sent from_beat(struct packet p)
{
	return (struct sent){ JOB_FROM_HEARTBEAT, p, at(HOME2), 0, false };
}

static struct packet good_inner(void)
{
	return echo(CLIENT1, OUTSIDE);
}

static struct sent ayiya_of(struct pop *pop, const struct ayiya_form *f)
{
	struct packet inner = good_inner();
	return from_ayiya(ayiya(pop->digest, CLIENT1, &inner, f));
}

static struct sent ayiya_with(struct pop *pop, struct packet inner)
{
	return from_ayiya(ayiya(pop->digest, CLIENT1, &inner, AYIYA_GOOD));
}

static struct sent outer_short(struct pop *pop)
{
	struct sent s = ayiya_of(pop, AYIYA_GOOD);
	s.packet.len = 43;
	return s;
}

static struct sent outer_martian(struct pop *pop)
{
	struct sent s = ayiya_of(pop, AYIYA_GOOD);
	s.from = at("127.0.0.1", 4001);
	return s;
}

static struct sent outer_pop(struct pop *pop)
{
	struct pop_conf conf = *table_pop(pop->table);
	struct sent s = from_static(echo(CLIENT3, OUTSIDE));
	pop_set_peers(&conf, &s.from.addr, 1);
	assert_int_equal(table_set_pop(pop->table, &conf), 0);
	return s;
}

static struct sent ayiya_form(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.first = 0x31));
}
static struct sent ayiya_unsigned(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.auth = ZERO));
}
static struct sent ayiya_method(struct pop *pop)
{
	struct sent s = ayiya_of(pop, AYIYA_GOOD);
	s.packet.b[1] = 0x41; /* MD5 */
	return s;
}
static struct sent ayiya_opcode(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.opcode = 5));
}
static struct sent ayiya_next_header(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.next = 4));
}
static struct sent ayiya_signature(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.secret = "ffffffffffffffffffffffffffffffff"));
}

static struct sent ayiya_trailing(struct pop *pop)
{
	struct packet inner = good_inner();
	inner.b[inner.len++] = 0;
	return ayiya_with(pop, inner);
}
static struct sent forged(struct pop *pop)
{
	struct sent s = ayiya_signature(pop);
	s.from.port++;
	return s;
}
static struct sent secret_unknown(struct pop *pop)
{
	struct sent s = from_beat(beat(pop->digest, CLIENT5, "sender", NOW, "ffff", ""));
	s.from = at("203.0.113.9", 1234);
	return s;
}

static struct sent beat_form(struct pop *pop)
{
	struct sent s = from_beat(beat(pop->digest, CLIENT2, "sender", NOW, SECRET, ""));
	s.packet.b[0] = 'h';
	return s;
}
static struct sent beat_address(struct pop *pop)
{
	return from_beat(beat(pop->digest, CLIENT2, "192.0.2.99", NOW, SECRET, ""));
}
static struct sent beat_signature(struct pop *pop)
{
	return from_beat(beat(pop->digest, CLIENT2, "sender", NOW, "ffff", ""));
}

static struct sent tunnel_unknown(struct pop *pop)
{
	struct packet inner = good_inner();
	return from_ayiya(ayiya(pop->digest, "2001:db8:2ff:777::2", &inner, AYIYA_GOOD));
}
static struct sent tunnel_deleted(struct pop *pop)
{
	struct ip6 net = addr("2001:db8:2ff:77::");
	gone_remember(table_gone(pop->table), addr4("203.0.113.9"), &net, 1);
	return (struct sent){ JOB_FROM_PROTO41, echo("2001:db8:2ff:77::2", OUTSIDE),
			      at("203.0.113.9", 0), 0, false };
}
static struct sent tunnel_type(struct pop *pop)
{
	struct packet inner = good_inner();
	return from_ayiya(ayiya(pop->digest, CLIENT3, &inner, AYIYA_GOOD));
}
static struct sent tunnel_disabled(struct pop *pop)
{
	struct packet inner = good_inner();
	return from_ayiya(ayiya(pop->digest, "2001:db8:2ff:4::2", &inner, AYIYA_GOOD));
}
static struct sent tunnel_down(struct pop *pop)
{
	(void)pop;
	return (struct sent){ JOB_FROM_PROTO41, echo(CLIENT5, OUTSIDE), at(HOME2), 0, false };
}
static struct sent clock_skew(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.epoch = NOW + 121));
}
static struct sent replay_stale(struct pop *pop)
{
	return ayiya_of(pop, AYIYA_OF(.epoch = NOW - 16));
}
static struct sent replay_move(struct pop *pop)
{
	struct sent s = ayiya_of(pop, AYIYA_OF(.epoch = NOW - 10));
	s.from.port++;
	return s;
}
static struct sent endpoint_mismatch(struct pop *pop)
{
	struct sent s = from_static(echo(CLIENT3, OUTSIDE));
	(void)pop;
	s.from = at("203.0.113.4", 0);
	return s;
}

static struct sent inner_short(struct pop *pop)
{
	struct packet inner = good_inner();
	inner.len--;
	return ayiya_with(pop, inner);
}
static struct sent inner_version(struct pop *pop)
{
	struct packet inner = good_inner();
	inner.b[0] = 0x45;
	return ayiya_with(pop, inner);
}
static struct sent inner_merged(struct pop *pop)
{
	struct sent s = from_static(ipv6(CLIENT3, OUTSIDE, 17, 64, NULL, 1441));
	(void)pop;
	s.merged = true;
	return s;
}
static struct sent inner_martian_source(struct pop *pop)
{
	return ayiya_with(pop, echo("::ffff:192.0.2.1", OUTSIDE));
}
static struct sent inner_martian_dest(struct pop *pop)
{
	return ayiya_with(pop, echo(CLIENT1, "::1"));
}
static struct sent inner_multicast(struct pop *pop)
{
	return ayiya_with(pop, echo(CLIENT1, "ff0e::1"));
}
static struct sent link_local(struct pop *pop)
{
	return ayiya_with(pop, echo("fe80::1", "ff02::2"));
}
static struct sent spoofed_from_tunnel(struct pop *pop)
{
	return ayiya_with(pop, echo("2001:db8:bad::1", OUTSIDE));
}
static struct sent spoofed_from_uplink(struct pop *pop)
{
	(void)pop;
	return from_tun(echo("2001:db8:30ff::1", CLIENT3));
}
static struct sent same_tunnel(struct pop *pop)
{
	return ayiya_with(pop, echo(CLIENT1, "2001:db8:3001:99::1"));
}
static struct sent tunnel_loop(struct pop *pop)
{
	return ayiya_with(pop, echo(CLIENT1, "2002:c633:6402::1"));
}
static struct sent hop_limit(struct pop *pop)
{
	return ayiya_with(pop, with_hops(good_inner(), 1));
}
static struct sent too_big(struct pop *pop)
{
	(void)pop;
	return from_tun(ipv6(OUTSIDE, CLIENT3, 17, 64, NULL, 1241));
}
static struct sent no_such_tunnel(struct pop *pop)
{
	return ayiya_with(pop, echo(CLIENT1, "2001:db8:2ff:777::2"));
}
static struct sent tunnel_net_host(struct pop *pop)
{
	(void)pop;
	return from_tun(echo(OUTSIDE, "2001:db8:2ff:3::3"));
}
static struct sent not_for_pop(struct pop *pop)
{
	return ayiya_with(pop, udp(CLIENT1, "2001:db8:2ff:1::1"));
}
static struct sent pop_unused(struct pop *pop)
{
	return ayiya_with(pop, icmp(CLIENT1, "2001:db8:2ff:1::1", 129, 0, 8));
}
static struct sent ecn_invalid(struct pop *pop)
{
	struct sent s = ayiya_of(pop, AYIYA_GOOD);
	s.tos = 3;
	return s;
}
static struct sent no_endpoint(struct pop *pop)
{
	struct tunnel_conf *c = conf_new(pop->digest, 9, TUNNEL_STATIC, "2001:db8:2ff:9::", NULL);
	pop_add(pop, c);
	return from_tun(echo(OUTSIDE, "2001:db8:2ff:9::2"));
}

/* A router's error about our packet to T3's client. */
static struct sent from_router(uint8_t type, uint8_t code)
{
	struct packet inner = echo(OUTSIDE, CLIENT3),
		      about = outer(POP_IPV4_TEXT, "203.0.113.3", 0, &inner);
	return (struct sent){ JOB_FROM_ICMP4, icmp4(type, code, 1400, &about, 100),
			      at("192.0.2.254", 0), 0, false };
}
static struct sent outer_unreachable(struct pop *pop)
{
	(void)pop;
	return from_router(3, 1);
}
static struct sent outer_time_exceeded(struct pop *pop)
{
	(void)pop;
	return from_router(11, 0);
}
static struct sent outer_parameter(struct pop *pop)
{
	(void)pop;
	return from_router(12, 0);
}
static struct sent outer_too_big(struct pop *pop)
{
	(void)pop;
	return from_router(3, 4);
}
static struct sent icmp4_unverified(struct pop *pop)
{
	struct sent s = from_router(3, 1);
	(void)pop;
	s.packet.b[8 + 15]++; /* not our address */
	seal_icmp4(&s.packet);
	return s;
}

static const struct {
	enum drop why;
	struct sent (*send)(struct pop *pop);
	uint32_t tunnel; /* that the drop is counted for; 0: none */
	const char *sentence;
} rows[] = {
	{ DROP_OUTER_SHORT, outer_short, 0,
	  "the packet is too short to contain its headers: 43 bytes" },
	{ DROP_OUTER_MARTIAN, outer_martian, 0,
	  "the outer IPv4 source address 127.0.0.1:4001 cannot be a tunnel endpoint" },
	{ DROP_OUTER_POP, outer_pop, 0,
	  "the outer IPv4 source address is that of a PoP, at which no tunnel ends: 203.0.113.3" },
	{ DROP_AYIYA_FORM, ayiya_form, 0,
	  "not a valid AYIYA header (16-byte identity, shared-secret signature): it begins with 31 52 11 29" },
	{ DROP_AYIYA_UNSIGNED, ayiya_unsigned, 0, "the packet is not signed" },
	{ DROP_AYIYA_METHOD, ayiya_method, 0,
	  "signed with hash method 1 (MD5), which is not supported" },
	{ DROP_AYIYA_OPCODE, ayiya_opcode, 1, "AYIYA opcode 5 is not supported" },
	{ DROP_AYIYA_NEXT_HEADER, ayiya_next_header, 1,
	  "the AYIYA payload has protocol 4, neither IPv6 (41) nor none (59)" },
	{ DROP_AYIYA_TRAILING, ayiya_trailing, 1,
	  "bytes follow the AYIYA payload, which anybody can append to a signed packet: 105 bytes instead of 104" },
	{ DROP_FORGED, forged, 0,
	  "the signature is wrong, and the packet does not come from the tunnel's endpoint: it names 2001:db8:2ff:1::2" },
	{ DROP_SECRET_UNKNOWN, secret_unknown, 5,
	  "somebody at 203.0.113.9 does not know this tunnel's secret" },
	{ DROP_AYIYA_SIGNATURE, ayiya_signature, 1,
	  "the signature is wrong: the client uses another tunnel password" },
	{ DROP_BEAT_FORM, beat_form, 0, "the packet is not a valid heartbeat: 85 bytes" },
	{ DROP_BEAT_ADDRESS, beat_address, 2,
	  "the heartbeat names 192.0.2.99 but came from 192.0.2.2" },
	{ DROP_BEAT_SIGNATURE, beat_signature, 2,
	  "the heartbeat's signature is wrong: the client uses another tunnel password" },
	{ DROP_TUNNEL_UNKNOWN, tunnel_unknown, 0,
	  "no tunnel on this PoP has the client address 2001:db8:2ff:777::2" },
	{ DROP_TUNNEL_DELETED, tunnel_deleted, 0,
	  "protocol 41 from the endpoint of a tunnel that was deleted less than a day ago: it names 2001:db8:2ff:77::2" },
	{ DROP_TUNNEL_TYPE, tunnel_type, 3, "an AYIYA packet, but the tunnel's type is static" },
	{ DROP_TUNNEL_DISABLED, tunnel_disabled, 4, "the tunnel is disabled" },
	{ DROP_TUNNEL_DOWN, tunnel_down, 5,
	  "the tunnel is down: its client has never sent a valid packet" },
	{ DROP_CLOCK_SKEW, clock_skew, 1, "the client's clock is 121 s ahead of ours" },
	{ DROP_REPLAY_STALE, replay_stale, 1,
	  "the packet is 6 s older than the tunnel's newest packet" },
	{ DROP_REPLAY_MOVE, replay_move, 1,
	  "from 192.0.2.1:4002 instead of the tunnel's endpoint 192.0.2.1:4001, but not newer than the tunnel's newest packet: a replay, unless that address answers" },
	{ DROP_ENDPOINT_MISMATCH, endpoint_mismatch, 3,
	  "protocol 41 from 203.0.113.4, but the tunnel's endpoint is 203.0.113.3" },
	{ DROP_INNER_SHORT, inner_short, 1,
	  "the inner packet has 103 bytes, but its IPv6 header says 104" },
	{ DROP_INNER_VERSION, inner_version, 1, "the inner packet has IP version 4, not 6" },
	{ DROP_INNER_MERGED, inner_merged, 3,
	  "the sender's host merged several packets into one, which cannot be cut again: 1481 bytes" },
	{ DROP_INNER_MARTIAN_SOURCE, inner_martian_source, 1,
	  "the inner source address is not a routable unicast address: ::ffff:192.0.2.1" },
	{ DROP_INNER_MARTIAN_DEST, inner_martian_dest, 1,
	  "the inner destination address cannot be routed: ::1" },
	{ DROP_INNER_MULTICAST, inner_multicast, 1,
	  "the inner destination is multicast, which tunnels do not carry: ff0e::1" },
	{ DROP_LINK_LOCAL, link_local, 1,
	  "link-local traffic of the client itself, which is normal: ff02::2" },
	{ DROP_SPOOFED_FROM_TUNNEL, spoofed_from_tunnel, 1,
	  "the inner source address is not in the tunnel's prefixes: 2001:db8:bad::1" },
	{ DROP_SPOOFED_FROM_UPLINK, spoofed_from_uplink, 3,
	  "came from the uplink with a source address in this PoP's own prefixes: 2001:db8:30ff::1" },
	{ DROP_SAME_TUNNEL, same_tunnel, 1,
	  "the packet would go back into the tunnel that it came from: 2001:db8:3001:99::1" },
	{ DROP_TUNNEL_LOOP, tunnel_loop, 1,
	  "an inner address embeds this PoP's IPv4 address, which would cause a loop (RFC 6324): 2002:c633:6402::1" },
	{ DROP_HOP_LIMIT, hop_limit, 1, "the hop limit ran out: 2001:db8:f00::1" },
	{ DROP_TOO_BIG, too_big, 3,
	  "the packet of 1281 bytes is larger than the tunnel's MTU of 1280" },
	{ DROP_NO_SUCH_TUNNEL, no_such_tunnel, 1,
	  "the destination is in this PoP's prefixes, but no tunnel has it: 2001:db8:2ff:777::2" },
	{ DROP_TUNNEL_NET_HOST, tunnel_net_host, 3,
	  "the tunnel's own /64 has no other addresses than ::1 and ::2: 2001:db8:2ff:3::3" },
	{ DROP_NOT_FOR_POP, not_for_pop, 1,
	  "the PoP's own address offers no such service: UDP port 33435" },
	{ DROP_POP_UNUSED, pop_unused, 1,
	  "a packet to the PoP's own address that needs no answer: ICMPv6 type 129" },
	{ DROP_ECN_INVALID, ecn_invalid, 1,
	  "the outer header has a congestion mark, the inner packet does not use ECN (RFC 6040)" },
	{ DROP_OUTER_UNREACHABLE, outer_unreachable, 3,
	  "192.0.2.254 reports that it cannot deliver our packets to 203.0.113.3" },
	{ DROP_OUTER_TIME_EXCEEDED, outer_time_exceeded, 3,
	  "192.0.2.254 reports a routing loop or missing fragments of our packets to 203.0.113.3" },
	{ DROP_OUTER_PARAMETER, outer_parameter, 3,
	  "192.0.2.254 rejects the IPv4 header of our packets to 203.0.113.3" },
	{ DROP_OUTER_TOO_BIG, outer_too_big, 3,
	  "192.0.2.254 reports that the IPv4 path to 203.0.113.3 has an MTU of 1400 bytes" },
	{ DROP_ICMP4_UNVERIFIED, icmp4_unverified, 0,
	  "an ICMPv4 error that quotes no packet that this PoP sends to a tunnel" },
	{ DROP_NO_ENDPOINT, no_endpoint, 9, "the tunnel has no endpoint to send to" },
};

/* No packet reaches these: refusals of the kernel (pipeline_refused, tested below) and internal
 * errors. */
static const enum drop elsewhere[] = { DROP_NONE, DROP_TUN_REFUSED, DROP_SEND_REFUSED,
				       DROP_INTERNAL };

/* True when these bytes hold the key in any of its forms. */
static bool has_key(struct pop *pop, const void *bytes, size_t len)
{
	struct tunnel_conf *c = conf_new(pop->digest, 1, TUNNEL_AYIYA, "2001:db8:2ff:1::", NULL);
	bool found = memmem(bytes, len, c->secret, strlen(c->secret)) ||
		     memmem(bytes, len, c->key_sha1, sizeof(c->key_sha1)) ||
		     memmem(bytes, len, c->key_sha256, sizeof(c->key_sha256));

	free(c);
	return found;
}

static bool records_have_key(struct pop *pop)
{
	const struct counters *c = pop->counters;

	return has_key(pop, c->drops, sizeof(c->drops)) ||
	       has_key(pop, c->records, c->records_used * sizeof(c->records[0]));
}

static void assert_note_is(const struct drop_note *n, const struct sent *s, uint32_t tunnel)
{
	struct endpoint4 peer = endpoint_of(n->peer);
	size_t kept = s->packet.len < DROP_HEAD ? s->packet.len : DROP_HEAD;

	if (n->tunnel != tunnel)
		fail_msg("%s: wanted T%u, got T%u", drop_name(n->why), tunnel, n->tunnel);
	assert_int_equal(n->time, NOW);
	assert_int_equal(n->source, s->source);
	assert_false(n->refused);
	assert_int_equal(peer.addr.v, s->from.addr.v);
	assert_int_equal(peer.port, s->from.port);
	assert_int_equal(n->len, s->packet.len);
	assert_int_equal(n->head_len, kept);
	if (memcmp(n->head, s->packet.b, kept) != 0)
		fail_msg("%s: what is kept is not what came in", drop_name(n->why));
}

static void every_reason_is_reached_by_a_packet(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pop pop = pop_new();
		struct sent s = rows[i].send(&pop);
		struct job job;
		job_init(&job, s.source, &s.packet, s.from, s.tos);
		job.merged = s.merged;
		pop_run(&pop, &job, 1);
		if (job.drop != rows[i].why)
			fail_msg("wanted %s, got %s", drop_name(rows[i].why), drop_name(job.drop));
		assert_int_equal(drops_of(&pop, rows[i].why), 1);
		struct drop_note note = last_of(&pop, rows[i].why);
		assert_note_is(&note, &s, rows[i].tunnel);
		char text[DROP_DETAIL_TEXT];
		assert_string_equal(drop_detail_text(&note, text), rows[i].sentence);
		if (rows[i].tunnel) {
			assert_int_equal(tunnel_drops_of(&pop, rows[i].tunnel, rows[i].why), 1);
			note = tunnel_last_of(&pop, rows[i].tunnel, rows[i].why);
			assert_note_is(&note, &s, rows[i].tunnel);
		}
		assert_false(records_have_key(&pop));
		job_end(&job);
		pop_end(&pop);
	}
}

/* The pipeline writes the key over the signature, and the congestion mark into the inner header. */
static void a_note_holds_the_packet_as_it_was_received(void **state)
{
	(void)state;
	struct pop pop = pop_new();
	struct packet inner = echo(CLIENT1, "::1");
	inner.b[1] = 0x20; /* ECT(0): the outer mark is copied */
	struct sent sent[] = {
		from_ayiya(ayiya(pop.digest, CLIENT1, &inner, AYIYA_GOOD)),
		from_ayiya(ayiya(pop.digest, CLIENT1, &inner, AYIYA_OF(.sha256 = true))),
	};
	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		struct job job;
		sent[i].tos = 3;
		job_init(&job, sent[i].source, &sent[i].packet, sent[i].from, sent[i].tos);
		pop_run(&pop, &job, 1);
		assert_int_equal(job.drop, DROP_INNER_MARTIAN_DEST);
		struct drop_note note = last_of(&pop, DROP_INNER_MARTIAN_DEST);
		assert_note_is(&note, &sent[i], 1);
		job_end(&job);
	}
	assert_false(records_have_key(&pop));
	pop_end(&pop);
}

/* A faulty client may send the password's digest, or the password, in place of the signature. */
static void a_key_that_the_client_itself_sent_is_not_kept(void **state)
{
	(void)state;
	struct pop pop = pop_new();
	struct sent sent[] = {
		ayiya_of(&pop, AYIYA_GOOD),
		ayiya_of(&pop, AYIYA_OF(.sha256 = true)),
		ayiya_of(&pop, AYIYA_OF(.epoch = NOW - 1000)),
		from_beat(beat(pop.digest, CLIENT2, "sender", NOW, SECRET, "\n")),
		from_beat(beat(pop.digest, CLIENT2, "sender", NOW - 1000, SECRET, "")),
	};
	const struct tunnel_conf *c = conf_of_tunnel(table_by_id(pop.table, 1));
	memcpy(sent[0].packet.b + 24, c->key_sha1, 20);
	memcpy(sent[1].packet.b + 24, c->key_sha256, 32);
	memcpy(sent[2].packet.b + 24, c->key_sha1, 20);
	sent[2].from.port++;
	for (size_t i = 3; i < ARRAY_LEN(sent); i++)
		memcpy(strrchr((char *)sent[i].packet.b, ' ') + 1, SECRET, strlen(SECRET));
	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		assert_true(has_key(&pop, sent[i].packet.b, sent[i].packet.len));
		assert_int_not_equal(pop_send(&pop, sent[i].source, sent[i].packet, sent[i].from),
				     DROP_NONE);
	}
	assert_int_equal(drops_of(&pop, DROP_AYIYA_SIGNATURE), 2);
	assert_int_equal(drops_of(&pop, DROP_BEAT_SIGNATURE), 2);
	assert_int_equal(drops_of(&pop, DROP_FORGED), 1);
	assert_false(records_have_key(&pop));
	/* nor for the PoP alone */
	assert_int_equal(pop_send(&pop, sent[0].source, sent[0].packet, at("203.0.113.9", 1)),
			 DROP_FORGED);
	assert_false(records_have_key(&pop));
	pop_end(&pop);
}

static void a_link_local_source_from_the_uplink_is_not_called_the_clients(void **state)
{
	(void)state;
	struct pop pop = pop_new();
	char text[DROP_DETAIL_TEXT];

	assert_int_equal(pop_send(&pop, JOB_FROM_TUN, echo("fe80::1", CLIENT1),
				  (struct endpoint4){ { 0 }, 0 }),
			 DROP_LINK_LOCAL);
	struct drop_note note = last_of(&pop, DROP_LINK_LOCAL);
	assert_string_equal(drop_detail_text(&note, text),
			    "from the uplink with a link-local source (the sender has no global "
			    "IPv6 address) to " CLIENT1);
	pop_end(&pop);
}

static void no_reason_is_without_a_row(void **state)
{
	bool covered[DROP__COUNT] = { false };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		covered[rows[i].why] = true;
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++)
		covered[elsewhere[i]] = true;
	for (enum drop d = 0; d < DROP__COUNT; d++)
		if (!covered[d])
			fail_msg("no packet reaches %s", drop_name(d));
}

static void the_same_packets_without_their_fault_pass(void **state)
{
	(void)state;
	struct pop pop = pop_new();
	struct sent controls[] = {
		ayiya_of(&pop, AYIYA_GOOD),
		ayiya_of(&pop, AYIYA_OF(.sha256 = true)),
		ayiya_of(&pop, AYIYA_OF(.epoch = NOW + 120)),
		from_ayiya(ayiya(pop.digest, CLIENT1, NULL, AYIYA_OF(.opcode = ZERO, .next = 59))),
		ayiya_of(&pop, AYIYA_OF(.opcode = 3)),
		from_beat(beat(pop.digest, CLIENT2, "sender", NOW, SECRET, "")),
		from_beat(beat(pop.digest, CLIENT2, "192.0.2.2", NOW, SECRET, "\n")),
		from_static(echo(CLIENT3, OUTSIDE)),
		from_static(echo("2001:db8:3003::5", CLIENT6)),
		from_tun(ipv6(OUTSIDE, CLIENT3, 17, 64, NULL, 1240)),
		from_tun(ipv6(OUTSIDE, CLIENT6, 17, 64, NULL, 1440)),
	};
	for (size_t i = 0; i < ARRAY_LEN(controls); i++) {
		enum drop d = pop_send(&pop, controls[i].source, controls[i].packet,
				       controls[i].from);
		if (d != DROP_NONE)
			fail_msg("control %zu: %s", i, drop_name(d));
	}
	pop_end(&pop);
}

static void what_the_kernel_refuses_is_counted_by_its_destination(void **state)
{
	(void)state;
	struct pop pop = pop_new();
	struct tunnel *t = table_by_id(pop.table, 3);
	struct packet packet = echo(CLIENT3, OUTSIDE);
	struct out to_tun = { .kind = OUT_TUN, .tunnel = t }, of_nobody = { .kind = OUT_TUN };
	struct out udp_out = { .kind = OUT_UDP, .tunnel = t, .to = at(HOME1) };
	struct out proto41 = { .kind = OUT_PROTO41,
			       .tunnel = t,
			       .to = at(HOME3),
			       .data = packet.b,
			       .len = (uint32_t)packet.len };
	pipeline_refused(&pop.pipeline, &to_tun, EIO, NOW);
	pipeline_refused(&pop.pipeline, &of_nobody, EIO, NOW);
	pipeline_refused(&pop.pipeline, &udp_out, ENETUNREACH, NOW);
	pipeline_refused(&pop.pipeline, &proto41, EMSGSIZE, NOW);
	assert_int_equal(drops_of(&pop, DROP_TUN_REFUSED), 2);
	assert_int_equal(tunnel_drops_of(&pop, 3, DROP_TUN_REFUSED), 1);
	assert_int_equal(tunnel_drops_of(&pop, 3, DROP_SEND_REFUSED), 2);
	struct drop_note note = tunnel_last_of(&pop, 3, DROP_SEND_REFUSED);
	char text[DROP_DETAIL_TEXT];
	assert_string_equal(
		drop_detail_text(&note, text),
		"the kernel did not send the outer packet to 203.0.113.3: Message too long");
	assert_true(note.refused && note.source == JOB_FROM_PROTO41 && note.len == packet.len);
	assert_memory_equal(note.head, packet.b, note.head_len);
	note = last_of(&pop, DROP_TUN_REFUSED);
	assert_string_equal(drop_detail_text(&note, text),
			    "the kernel did not accept the packet on the TUN: Input/output error");
	pop_end(&pop);
}

static void names_and_sentences_are_there_for_each_and_names_differ(void **state)
{
	(void)state;
	for (enum drop d = 0; d < DROP__COUNT; d++) {
		assert_true(strlen(drop_name(d)) > 1 && strlen(drop_text(d)) > 10);
		for (enum drop e = 0; e < d; e++)
			assert_string_not_equal(drop_name(d), drop_name(e));
	}
	assert_string_equal(drop_name(DROP__COUNT), "?");
	assert_string_equal(drop_text((enum drop) - 1), "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_is_reached_by_a_packet),
		cmocka_unit_test(a_note_holds_the_packet_as_it_was_received),
		cmocka_unit_test(a_key_that_the_client_itself_sent_is_not_kept),
		cmocka_unit_test(a_link_local_source_from_the_uplink_is_not_called_the_clients),
		cmocka_unit_test(no_reason_is_without_a_row),
		cmocka_unit_test(the_same_packets_without_their_fault_pass),
		cmocka_unit_test(what_the_kernel_refuses_is_counted_by_its_destination),
		cmocka_unit_test(names_and_sentences_are_there_for_each_and_names_differ),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
