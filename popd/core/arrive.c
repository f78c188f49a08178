#include "popd/core/arrive.h"

#include <string.h>

#include "lib/err.h"
#include "lib/wire/ecn.h"
#include "lib/wire/ipv6.h"
#include "popd/core/ask.h"
#include "popd/core/counters.h"
#include "popd/core/forward.h"
#include "popd/core/limit.h"
#include "popd/core/replay.h"
#include "popd/core/roam.h"

/* ---- parse ---- */

static enum drop parse_inner(struct work *w, uint8_t *inner, size_t len)
{
	int err = ipv6_check(inner, len, &w->inner_len);

	if (err)
		return err == -ERR_FORMAT ? DROP_INNER_VERSION : DROP_INNER_SHORT;
	w->inner = inner;
	return DROP_NONE;
}

/* No tunnel ends at such an address. */
static enum drop check_outer(const struct batch *b, struct ip4 from)
{
	if (ip4_is_martian(from))
		return DROP_OUTER_MARTIAN;
	return pop_is_peer(b->pop, from) ? DROP_OUTER_POP : DROP_NONE;
}

static enum drop parse_ayiya(const struct batch *b, struct job *job, struct work *w)
{
	int err = ayiya_decode(job->data, job->len, &w->ayiya);

	if (err)
		return err == -ERR_FORMAT ? DROP_AYIYA_FORM : DROP_OUTER_SHORT;
	enum drop outer = job->from.port == 0 ? DROP_OUTER_MARTIAN : check_outer(b, job->from.addr);
	if (outer)
		return outer;
	if (w->ayiya.auth == AYIYA_AUTH_NONE || w->ayiya.hash == AYIYA_HASH_NONE)
		return DROP_AYIYA_UNSIGNED;
	enum digest_alg alg = ayiya_digest(w->ayiya.hash);
	if (w->ayiya.auth != AYIYA_AUTH_SECRET || alg == DIGEST__COUNT)
		return DROP_AYIYA_METHOD;
	if (w->ayiya.signature_len != digest_len(alg))
		return DROP_AYIYA_FORM;
	w->from = endpoint_pack(job->from, alg == DIGEST_SHA256 ? ENDPOINT_SHA256 : 0);
	w->identity = (const struct ip6 *)(job->data + AYIYA_AT_IDENTITY);
	return DROP_NONE;
}

static enum drop parse_heartbeat(const struct batch *b, struct job *job, struct work *w)
{
	if (job->len == 0)
		return DROP_OUTER_SHORT;
	enum drop outer = check_outer(b, job->from.addr);
	if (outer)
		return outer;
	if (heartbeat_decode(job->data, job->len, &w->beat) != 0)
		return DROP_BEAT_FORM;
	w->from = endpoint_pack((struct endpoint4){ job->from.addr, 0 }, 0);
	w->identity = &w->beat.client;
	return DROP_NONE;
}

static enum drop parse_proto41(const struct batch *b, struct job *job, struct work *w)
{
	if (job->len == 0)
		return DROP_OUTER_SHORT;
	enum drop outer = check_outer(b, job->from.addr);
	if (outer)
		return outer;
	enum drop drop = parse_inner(w, job->data, job->len);
	if (!drop)
		drop = forward_check_source(w->inner);
	if (!drop)
		w->identity = (const struct ip6 *)(w->inner + IPV6_AT_SOURCE);
	return drop;
}

/* The quote names the tunnel only when it is long enough; else the control thread searches for
 * it. */
static enum drop parse_icmp4(const struct batch *b, struct job *job, struct work *w)
{
	int err = icmp4_decode(job->data, job->len, &w->icmp4);

	if (err)
		return err == -ERR_FORMAT ? DROP_ICMP4_UNVERIFIED : DROP_OUTER_SHORT;
	if (ip4_is_martian(job->from.addr))
		return DROP_OUTER_MARTIAN;
	if (!icmp_error_read(&w->icmp4, job->from, b->pop->ipv4, b->ayiya_port, &job->icmp_error))
		return DROP_ICMP4_UNVERIFIED;
	if (w->icmp4.shows == ICMP4_SHOWS_AYIYA || w->icmp4.shows == ICMP4_SHOWS_INNER)
		w->identity = &w->icmp4.address;
	else
		job->event = EVENT_ICMP_ERROR;
	return DROP_NONE;
}

static enum drop parse_job(const struct batch *b, struct job *job, struct work *w)
{
	switch (job->source) {
	case JOB_FROM_AYIYA:
		return parse_ayiya(b, job, w);
	case JOB_FROM_HEARTBEAT:
		return parse_heartbeat(b, job, w);
	case JOB_FROM_PROTO41:
		return parse_proto41(b, job, w);
	case JOB_FROM_TUN:
	case JOB_PROBE:
	case JOB_ASK:
		return parse_inner(w, job->data, job->len);
	case JOB_FROM_ICMP4:
		return parse_icmp4(b, job, w);
	}
	return DROP_INTERNAL;
}

void arrive_parse(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct job *job = &b->jobs[i];
		struct work *w = &b->work[i];
		bool inside = job->source == JOB_FROM_TUN || job_is_own(job->source);
		w->inner = NULL;
		w->identity = NULL;
		w->echo_requested = false;
		w->refused = false;
		w->gone = false;
		w->signature_len = 0;
		w->remarked = false;
		w->from = inside ? 0 : endpoint_pack(job->from, 0);
		enum drop drop = parse_job(b, job, w);
		if (drop)
			batch_drop(b, i, drop, NULL, NULL);
	}
}

/* ---- check ---- */

static enum drop check_ayiya(const struct work *w, uint32_t now)
{
	if (w->route.conf->type != TUNNEL_AYIYA)
		return DROP_TUNNEL_TYPE;
	if (!w->route.conf->enabled)
		return DROP_TUNNEL_DISABLED;
	if (!replay_clock_is_near(w->ayiya.epoch, now))
		return DROP_CLOCK_SKEW;
	if (w->ayiya.opcode > AYIYA_ECHO_REQUEST_FORWARD)
		return DROP_AYIYA_OPCODE;
	return w->ayiya.next_header == AYIYA_NEXT_IPV6 || w->ayiya.next_header == AYIYA_NEXT_NONE
		       ? DROP_NONE
		       : DROP_AYIYA_NEXT_HEADER;
}

static enum drop check_heartbeat(const struct job *job, const struct work *w, uint32_t now)
{
	if (w->route.conf->type != TUNNEL_HEARTBEAT)
		return DROP_TUNNEL_TYPE;
	if (!w->route.conf->enabled)
		return DROP_TUNNEL_DISABLED;
	if (w->beat.address.v != 0 && w->beat.address.v != job->from.addr.v)
		return DROP_BEAT_ADDRESS;
	return replay_clock_is_near(w->beat.epoch, now) ? DROP_NONE : DROP_CLOCK_SKEW;
}

static enum drop check_proto41(const struct job *job, const struct work *w, mono_s_t now,
			       uint32_t expiry)
{
	const struct tunnel_conf *c = w->route.conf;
	const struct tunnel *t = w->route.tunnel;

	if (c->type == TUNNEL_AYIYA)
		return DROP_TUNNEL_TYPE;
	if (!c->enabled)
		return DROP_TUNNEL_DISABLED;
	if (c->type == TUNNEL_HEARTBEAT && !tunnel_is_up(t, c, now, expiry))
		return DROP_TUNNEL_DOWN;
	uint64_t endpoint = atomic_load_explicit(&t->endpoint, memory_order_relaxed);
	if (endpoint_of(endpoint).addr.v != job->from.addr.v)
		return DROP_ENDPOINT_MISMATCH;
	return job->merged ? DROP_INNER_MERGED : DROP_NONE;
}

static enum drop check(const struct job *job, const struct work *w, const struct batch *b)
{
	if (job->source == JOB_FROM_AYIYA)
		return check_ayiya(w, b->now.wall);
	if (job->source == JOB_FROM_HEARTBEAT)
		return check_heartbeat(job, w, b->now.wall);
	return check_proto41(job, w, b->now.mono, b->forward->expiry);
}

/* Signed packets name their tunnel by its ::2, protocol 41 by any source that is routed to it. */
static bool names_tunnel(const struct job *job, const struct work *w)
{
	if (job->source == JOB_FROM_PROTO41)
		return w->route.kind != ROUTE_NONE;
	if (w->route.kind != ROUTE_TUNNEL_NET)
		return false;
	struct ip6 client = tunnel_client(w->route.conf);
	return ip6_equal(&client, w->identity);
}

/*
 * A packet that proves nothing: anybody can name a tunnel. It is counted for the tunnel when it
 * comes from the tunnel's endpoint. From elsewhere it may be the first sign of a client's fault, so
 * it is counted too, once a second, while nothing is heard from the endpoint; `stranger` is the
 * reason then. All others are the PoP's, for the reason `forged`: else a forger could fill the
 * tunnel's book of errors.
 */
struct unproven {
	enum drop from_endpoint, stranger, forged;
};

static uint32_t gone_seconds(const struct batch *b)
{
	return (uint32_t)(b->now.mono_us / 1000000);
}

static bool is_from_endpoint(const struct job *job, const struct work *w)
{
	if (job->source != JOB_FROM_AYIYA || job->conf->type != TUNNEL_AYIYA)
		return tunnel_is_at(job->tunnel, job->from.addr);
	uint64_t endpoint = atomic_load_explicit(&job->tunnel->endpoint, memory_order_relaxed);
	return (endpoint ^ w->from) >> 16 == 0;
}

/* The sender is the tunnel's own client: it is told what has become of the tunnel. `gone`: it was
 * that of one which ended (gone.h). */
static void refuse(struct work *w, const struct ip6 *net, bool gone)
{
	w->refused = true;
	w->gone = gone;
	w->near = tunnel_pop_of(net);
}

static void drop_unproven(struct batch *b, size_t i, struct unproven why)
{
	const struct job *job = &b->jobs[i];

	if (is_from_endpoint(job, &b->work[i]))
		batch_drop(b, i, why.from_endpoint, job->tunnel, job->conf);
	else if (!tunnel_is_heard(job->tunnel, b->now.mono, b->forward->expiry) &&
		 limiter_take(b->limiter, LIMIT_STRANGER, job->tunnel->slot, b->now.mono_us))
		batch_drop(b, i, why.stranger, job->tunnel, job->conf);
	else
		batch_drop(b, i, why.forged, NULL, NULL);
}

/* Its sender is told when it is the tunnel's own client, or the former client of this /64: before the
 * tunnel's type was changed, or of a tunnel that is gone. */
static void drop_proto41(struct batch *b, size_t i)
{
	const struct job *job = &b->jobs[i];
	struct work *w = &b->work[i];
	struct ip6 net;

	drop_unproven(b, i, (struct unproven){ w->fault, w->fault, w->fault });
	if (w->fault == DROP_TUNNEL_DISABLED && tunnel_is_at(job->tunnel, job->from.addr))
		refuse(w, &job->conf->net, false);
	else if (gone_find(b->gone, job->from.addr, &job->conf->net, false, gone_seconds(b), &net))
		refuse(w, &net, true);
}

/* The packet names no tunnel; perhaps one that was deleted. */
static void drop_unknown(struct batch *b, size_t i)
{
	const struct job *job = &b->jobs[i];
	struct work *w = &b->work[i];
	struct ip6 net;

	if (job->source == JOB_FROM_PROTO41 &&
	    gone_find(b->gone, job->from.addr, w->identity, true, gone_seconds(b), &net) &&
	    pop_owns(b->pop, w->identity)) {
		batch_drop(b, i, DROP_TUNNEL_DELETED, NULL, NULL);
		refuse(w, &net, true);
	} else {
		batch_drop(b, i, DROP_TUNNEL_UNKNOWN, NULL, NULL);
	}
}

/* Replaces the signature by the digest of the secret, so that the bytes to hash are in one
 * piece. */
static void request_ayiya_digest(struct batch *b, size_t i)
{
	struct job *job = &b->jobs[i];
	struct work *w = &b->work[i];
	uint8_t *signature = job->data + AYIYA_AT_SIGNATURE;
	enum digest_alg alg = ayiya_digest(w->ayiya.hash);

	w->signature_at = AYIYA_AT_SIGNATURE;
	w->signature_len = w->ayiya.signature_len;
	memcpy(w->signature, signature, w->signature_len);
	memcpy(signature,
	       alg == DIGEST_SHA256 ? w->route.conf->key_sha256 : w->route.conf->key_sha1,
	       w->ayiya.signature_len);
	*batch_item(b, i) = (struct auth_item){
		.alg = alg, .data = job->data, .len = job->len, .out = w->digest
	};
}

/* Replaces the hex digits by the secret, which is never longer. */
static void request_heartbeat_digest(struct batch *b, size_t i)
{
	struct job *job = &b->jobs[i];
	struct work *w = &b->work[i];
	size_t len = strlen(w->route.conf->secret);

	w->signature_at = w->beat.signed_len;
	w->signature_len = 2 * sizeof(w->beat.digest);
	memcpy(w->signature, job->data + w->signature_at, w->signature_len);
	memcpy(job->data + w->beat.signed_len, w->route.conf->secret, len);
	*batch_item(b, i) = (struct auth_item){ .alg = DIGEST_MD5,
						.data = job->data,
						.len = w->beat.signed_len + (uint32_t)len,
						.out = w->digest };
}

/* Our AYIYA packets carry the tunnel's ::1; the inner destination of protocol-41 packets is any
 * address that is routed to the tunnel. */
static bool quotes_tunnel(const struct work *w, uint32_t now)
{
	if (w->icmp4.shows == ICMP4_SHOWS_INNER)
		return w->route.kind != ROUTE_NONE;
	if (w->route.kind != ROUTE_TUNNEL_NET || !replay_clock_is_near(w->icmp4.epoch, now))
		return false;
	struct ip6 pop = tunnel_pop(w->route.conf);
	return ip6_equal(&pop, w->identity);
}

static void check_icmp4(struct batch *b, size_t i)
{
	struct job *job = &b->jobs[i];
	const struct work *w = &b->work[i];
	enum drop why = quotes_tunnel(w, b->now.wall)
				? icmp_error_apply(&job->icmp_error, w->route.tunnel, w->route.conf,
						   b->now.mono)
				: DROP_ICMP4_UNVERIFIED;

	/* The sender of a forged error does not choose the tunnel that it is counted for. */
	if (why != DROP_ICMP4_UNVERIFIED) {
		job->tunnel = w->route.tunnel;
		job->conf = w->route.conf;
	}
	batch_drop(b, i, why, job->tunnel, job->conf);
}

void arrive_check(struct batch *b)
{
	for (size_t i = 0; i < b->n; i++) {
		struct job *job = &b->jobs[i];
		struct work *w = &b->work[i];
		if (job->drop || !w->identity)
			continue;
		if (job->source == JOB_FROM_ICMP4) {
			check_icmp4(b, i);
			continue;
		}
		if (!names_tunnel(job, w)) {
			drop_unknown(b, i);
			continue;
		}
		job->tunnel = w->route.tunnel;
		job->conf = w->route.conf;
		w->fault = check(job, w, b);
		if (job->source == JOB_FROM_AYIYA)
			request_ayiya_digest(b, i);
		else if (job->source == JOB_FROM_HEARTBEAT)
			request_heartbeat_digest(b, i);
		else if (w->fault)
			drop_proto41(b, i);
	}
}

/* ---- accept ---- */

static enum drop verify_digest(const struct auth_item *item, const struct job *job,
			       const struct work *w)
{
	if (!item->done)
		return DROP_INTERNAL;
	const uint8_t *received = job->source == JOB_FROM_HEARTBEAT ? w->beat.digest : w->signature;
	/* An empty secret proves nothing: everybody can compute its digest. */
	if (job->conf->secret[0] != '\0' &&
	    digest_equal(received, w->digest, digest_len(item->alg)))
		return DROP_NONE;
	return job->source == JOB_FROM_AYIYA ? DROP_AYIYA_SIGNATURE : DROP_BEAT_SIGNATURE;
}

/* True when an authentic packet that was refused answers an ask of the address it comes from. */
static bool is_answer(const struct batch *b, const struct job *job, const struct work *w)
{
	uint32_t header = w->ayiya.header_len, len;

	return job->source == JOB_FROM_AYIYA && w->ayiya.opcode == AYIYA_FORWARD &&
	       w->ayiya.next_header == AYIYA_NEXT_IPV6 &&
	       ipv6_check(job->data + header, job->len - header, &len) == 0 &&
	       ask_is_answer_packet(job->data + header, len, job->conf, b->forward->probe_key,
				    w->from, b->now.mono_us);
}

/* The address was asked already, and will be again while it does not answer. */
static bool is_being_asked(const struct batch *b, const struct asks *asks, const struct job *job,
			   const struct work *w)
{
	const struct ask *a = asks_find(asks, job->tunnel, w->from, b->now.mono_us);

	return a && !roam_has_answered(b->roam, job->tunnel, job->conf, w->from, a->asked_us);
}

/* The next batch of the worker sends the ask. */
static void ask(struct batch *b, const struct job *job, const struct work *w, enum replay_ask why)
{
	enum roam_budget budget = why == REPLAY_ASK_MOVED ? ROAM_MOVED : ROAM_DOUBTED;
	struct asks *asks = &b->asks[budget];

	if (roam_may_ask(b->pop, w->from) &&
	    roam_take_ask(b->roam, job->tunnel, w->from, budget, b->now.mono_us) &&
	    !is_being_asked(b, asks, job, w))
		asks_add(asks, &(struct ask){ .tunnel = job->tunnel,
					      .endpoint = w->from,
					      .asked_us = b->now.mono_us,
					      .id = job->conf->id });
}

static void report_move(struct batch *b, struct job *job, uint64_t from,
			const struct replay_result *r)
{
	job->event = r->two_clients ? EVENT_TWO_CLIENTS : EVENT_ENDPOINT_MOVED;
	job->old_endpoint = r->before;
	job->endpoint = from;
	counters_move(b->counters);
}

/*
 * SHA-1 and SHA-256 can be extended: who has seen a signed packet can append bytes and sign the
 * result without the secret. So a payload is exactly one inner packet, or empty. An echo request
 * without a packet has what its sender wants back; more of that changes nothing. A heartbeat cannot
 * be extended: what is hashed ends with the secret.
 */
static bool has_trailing_bytes(const struct job *job, const struct work *w)
{
	const uint8_t *payload = job->data + w->ayiya.header_len;
	uint32_t len = job->len - w->ayiya.header_len, inner;

	if (w->ayiya.opcode == AYIYA_NOOP || w->ayiya.next_header == AYIYA_NEXT_NONE)
		return len != 0 && w->ayiya.opcode != AYIYA_ECHO_REQUEST;
	return ipv6_check(payload, len, &inner) == 0 && inner != len;
}

/* The packet is authentic: it came from the tunnel's client unless it is a replay. */
static enum drop accept_client(struct batch *b, struct job *job, const struct work *w,
			       uint32_t epoch)
{
	if (replay_changes_nothing(job->tunnel, w->from, epoch, b->now))
		return DROP_NONE;
	bool was_up = tunnel_is_up(job->tunnel, job->conf, b->now.mono, b->forward->expiry);
	struct replay_packet p = { w->from, epoch, b->now };
	struct replay_result r;
	enum drop drop = replay_accept(b->roam, job->tunnel, job->conf, &p, &r);

	if ((drop == DROP_REPLAY_STALE || drop == DROP_REPLAY_MOVE) && is_answer(b, job, w))
		drop = replay_accept_answer(b->roam, job->tunnel, job->conf, &p,
					    ask_time_of_answer(job->data + w->ayiya.header_len),
					    &r);
	if (r.ask != REPLAY_ASK_NOT)
		ask(b, job, w, r.ask);
	if (drop)
		return drop;
	if (r.before != 0 && (r.before ^ w->from) >> 16 != 0)
		report_move(b, job, w->from, &r);
	else if (!was_up)
		job->event = EVENT_TUNNEL_UP;
	return DROP_NONE;
}

static enum drop decapsulate_ayiya(struct batch *b, struct job *job, struct work *w)
{
	uint8_t opcode = w->ayiya.opcode;

	w->echo_requested = opcode == AYIYA_ECHO_REQUEST || opcode == AYIYA_ECHO_REQUEST_FORWARD;
	if ((opcode == AYIYA_FORWARD || opcode == AYIYA_ECHO_REQUEST_FORWARD) &&
	    w->ayiya.next_header == AYIYA_NEXT_IPV6)
		return parse_inner(w, job->data + w->ayiya.header_len,
				   job->len - w->ayiya.header_len);
	if (!w->echo_requested)
		counters_beat(b->counters);
	return DROP_NONE;
}

/* An authentic packet of a tunnel that is disabled or of another type: an AYIYA client is told, if
 * its packet has an inner one. */
static enum drop refuse_signed(const struct batch *b, const struct job *job, struct work *w)
{
	const struct ayiya_view *a = &w->ayiya;
	uint8_t *payload = job->data + a->header_len;
	uint32_t len;

	if (job->source == JOB_FROM_AYIYA && a->next_header == AYIYA_NEXT_IPV6 &&
	    (w->fault == DROP_TUNNEL_DISABLED || w->fault == DROP_TUNNEL_TYPE) &&
	    replay_clock_is_near(a->epoch, b->now.wall) &&
	    ipv6_check(payload, job->len - a->header_len, &len) == 0 &&
	    forward_check_source(payload) == DROP_NONE) {
		w->inner = payload;
		w->inner_len = len;
		refuse(w, &job->conf->net, false);
	}
	return w->fault;
}

/* The signature is right. */
static enum drop accept_signed(struct batch *b, struct job *job, struct work *w)
{
	bool is_beat = job->source == JOB_FROM_HEARTBEAT;

	if (w->fault)
		return refuse_signed(b, job, w);
	if (!is_beat && has_trailing_bytes(job, w))
		return DROP_AYIYA_TRAILING;
	enum drop drop = accept_client(b, job, w, is_beat ? w->beat.epoch : w->ayiya.epoch);
	if (!drop && is_beat)
		counters_beat(b->counters);
	return drop || is_beat ? drop : decapsulate_ayiya(b, job, w);
}

static void accept_item(struct batch *b, const struct auth_item *item, size_t i)
{
	struct job *job = &b->jobs[i];
	struct work *w = &b->work[i];
	enum drop drop = verify_digest(item, job, w);

	if (job->source == JOB_FROM_HEARTBEAT)
		memset(job->data + w->beat.signed_len, 0, TUNNEL_SECRET_LEN);
	if (drop && drop != DROP_INTERNAL) {
		drop_unproven(b, i, (struct unproven){ drop, DROP_SECRET_UNKNOWN, DROP_FORGED });
		return;
	}
	if (!drop)
		drop = accept_signed(b, job, w);
	if (drop)
		batch_drop(b, i, drop, job->tunnel, job->conf);
}

/* RFC 6040: copies an outer congestion mark to the inner packet, or drops one that cannot carry
 * it. */
static enum drop decapsulate_ecn(const struct job *job, struct work *w)
{
	uint8_t class = ipv6_traffic_class(w->inner);
	int ecn = ecn_decapsulate(job->outer_tos, class);

	if (ecn < 0)
		return DROP_ECN_INVALID;
	if (ecn != (class & ECN_MASK)) {
		w->remarked = true;
		w->class = class;
		ipv6_set_traffic_class(w->inner, (uint8_t)((class & ~ECN_MASK) | ecn));
	}
	return DROP_NONE;
}

void arrive_accept(struct batch *b)
{
	for (size_t k = 0; k < b->item_count; k++)
		accept_item(b, &b->items[k], b->item_job[k]);
	b->item_count = 0;
	for (size_t i = 0; i < b->n; i++) {
		struct job *job = &b->jobs[i];
		struct work *w = &b->work[i];
		if (job->drop || !w->identity || !w->inner)
			continue;
		enum drop drop = decapsulate_ecn(job, w);
		if (drop)
			batch_drop(b, i, drop, job->tunnel, job->conf);
		/* Anybody can send protocol 41 with a heartbeat client's address as its source. */
		if (job->source == JOB_FROM_PROTO41 && job->conf->type == TUNNEL_STATIC)
			tunnel_heard(job->tunnel, b->now.mono);
	}
}
