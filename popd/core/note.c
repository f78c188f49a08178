/*
 * What is kept of a packet that is let go: its first bytes as they came, and the detail that makes
 * the sentence about it specific. By the time a packet is dropped the pipeline may have written
 * over it: the key where the signature was (arrive.c), the inner congestion mark. Both are put back
 * here. Everything else it writes (hop limits, headers of what goes out) comes after the last
 * decision to drop.
 */
#include <string.h>

#include "lib/wire/ipv6.h"
#include "popd/core/batch.h"
#include "popd/core/encap.h"

/* ---- the detail, by reason; drop_say.c reads what is written here ---- */

struct about {
	const struct batch *b;
	const struct job *job;
	const struct work *w;
	const struct tunnel *t; /* whose the drop is; NULL: nobody's */
	const struct tunnel_conf *c;
};

static void put_address(uint64_t out[static 2], const struct ip6 *ip)
{
	memcpy(out, ip->b, sizeof(ip->b));
}

static void signature_method(const struct about *a, uint64_t out[static 2])
{
	out[0] = a->w->ayiya.hash;
	out[1] = a->w->ayiya.auth;
}

static void opcode(const struct about *a, uint64_t out[static 2])
{
	out[0] = a->w->ayiya.opcode;
}

static void next_header(const struct about *a, uint64_t out[static 2])
{
	out[0] = a->w->ayiya.next_header;
}

static void beat_address(const struct about *a, uint64_t out[static 2])
{
	out[0] = a->w->beat.address.v;
}

static void identity(const struct about *a, uint64_t out[static 2])
{
	if (a->w->identity)
		put_address(out, a->w->identity);
}

static void type(const struct about *a, uint64_t out[static 2])
{
	out[0] = a->c ? a->c->type : TUNNEL_TYPE__COUNT;
}

static void heard(const struct about *a, uint64_t out[static 2])
{
	out[0] = a->t ? atomic_load_explicit(&a->t->heard, memory_order_relaxed) : 0;
}

static uint32_t epoch_of(const struct about *a)
{
	return a->job->source == JOB_FROM_AYIYA ? a->w->ayiya.epoch : a->w->beat.epoch;
}

static void skew(const struct about *a, uint64_t out[static 2])
{
	out[0] = (uint64_t)((int64_t)epoch_of(a) - a->b->now.wall);
}

static void replay(const struct about *a, uint64_t out[static 2])
{
	out[0] = a->t ? atomic_load_explicit(&a->t->endpoint, memory_order_relaxed) : 0;
	out[1] = a->t ? (uint64_t)((int64_t)atomic_load_explicit(&a->t->newest,
								 memory_order_relaxed) -
				   epoch_of(a))
		      : 0;
}

static void endpoint(const struct about *a, uint64_t out[static 2])
{
	out[0] = a->t ? atomic_load_explicit(&a->t->endpoint, memory_order_relaxed) : 0;
}

/* Where an inner packet that proved to be none begins. */
static const uint8_t *inner_of(const struct about *a, uint32_t *len)
{
	uint32_t header = a->job->source == JOB_FROM_AYIYA ? a->w->ayiya.header_len : 0;

	*len = a->job->len - header;
	return a->job->data + header;
}

static void inner_length(const struct about *a, uint64_t out[static 2])
{
	uint32_t len;
	const uint8_t *inner = inner_of(a, &len);

	out[0] = len;
	out[1] = len < IPV6_HEADER ? 0 : IPV6_HEADER + be16_load(inner + IPV6_AT_LENGTH);
}

static void inner_version(const struct about *a, uint64_t out[static 2])
{
	uint32_t len;
	const uint8_t *inner = inner_of(a, &len);

	out[0] = len > 0 ? inner[0] >> 4 : 0;
}

static void source(const struct about *a, uint64_t out[static 2])
{
	struct ip6 ip = ipv6_source(a->w->inner);

	put_address(out, &ip);
}

static void destination(const struct about *a, uint64_t out[static 2])
{
	struct ip6 ip = ipv6_destination(a->w->inner);

	put_address(out, &ip);
}

/* The address by which the packet would come back to us. */
static void looping(const struct about *a, uint64_t out[static 2])
{
	struct ip6 ip = ipv6_source(a->w->inner);

	if (!ipv6_embeds(&ip, a->b->pop->ipv4))
		ip = ipv6_destination(a->w->inner);
	put_address(out, &ip);
}

static void too_big(const struct about *a, uint64_t out[static 2])
{
	out[0] = a->w->inner_len;
	if (a->t && a->c)
		out[1] = encap_mtu(a->t, a->c,
				   atomic_load_explicit(&a->t->endpoint, memory_order_relaxed),
				   a->b->now.wall);
}

/* The protocol, and 1 + the port asked for, or 1 + the ICMPv6 type. */
static void service(const struct about *a, uint64_t out[static 2])
{
	struct ipv6_upper u = ipv6_upper(a->w->inner, a->w->inner_len);
	const uint8_t *upper = a->w->inner + u.offset;
	uint32_t left = a->w->inner_len - u.offset;

	out[0] = u.next;
	if (u.is_later)
		return;
	if (u.next == IPV6_NEXT_ICMP && left >= 1)
		out[1] = UINT64_C(1) + upper[0];
	else if ((u.next == IPV6_NEXT_TCP || u.next == IPV6_NEXT_UDP) && left >= 4)
		out[1] = UINT64_C(1) + be16_load(upper + 2);
}

static void icmp_error(const struct about *a, uint64_t out[static 2])
{
	out[0] = a->job->icmp_error.about;
	out[1] = a->job->icmp_error.mtu;
}

static const struct {
	void (*detail)(const struct about *a, uint64_t out[static 2]);
	bool of_inner; /* only when there is an inner packet */
} details[DROP__COUNT] = {
	[DROP_AYIYA_METHOD] = { signature_method, false },
	[DROP_AYIYA_OPCODE] = { opcode, false },
	[DROP_AYIYA_NEXT_HEADER] = { next_header, false },
	[DROP_BEAT_ADDRESS] = { beat_address, false },
	[DROP_TUNNEL_UNKNOWN] = { identity, false },
	[DROP_TUNNEL_TYPE] = { type, false },
	[DROP_TUNNEL_DOWN] = { heard, false },
	[DROP_CLOCK_SKEW] = { skew, false },
	[DROP_REPLAY_STALE] = { replay, false },
	[DROP_REPLAY_MOVE] = { replay, false },
	[DROP_ENDPOINT_MISMATCH] = { endpoint, false },
	[DROP_OUTER_UNREACHABLE] = { icmp_error, false },
	[DROP_OUTER_TIME_EXCEEDED] = { icmp_error, false },
	[DROP_OUTER_PARAMETER] = { icmp_error, false },
	[DROP_OUTER_TOO_BIG] = { icmp_error, false },
	[DROP_INNER_SHORT] = { inner_length, false },
	[DROP_INNER_VERSION] = { inner_version, false },
	[DROP_INNER_MARTIAN_SOURCE] = { source, true },
	[DROP_INNER_MARTIAN_DEST] = { destination, true },
	[DROP_INNER_MULTICAST] = { destination, true },
	[DROP_LINK_LOCAL] = { destination, true },
	[DROP_SPOOFED_FROM_TUNNEL] = { source, true },
	[DROP_SPOOFED_FROM_UPLINK] = { source, true },
	[DROP_SAME_TUNNEL] = { destination, true },
	[DROP_TUNNEL_LOOP] = { looping, true },
	[DROP_HOP_LIMIT] = { destination, true },
	[DROP_TOO_BIG] = { too_big, true },
	[DROP_NO_SUCH_TUNNEL] = { destination, true },
	[DROP_TUNNEL_NET_HOST] = { destination, true },
	[DROP_NOT_FOR_POP] = { service, true },
	[DROP_POP_UNUSED] = { service, true },
};

/* ---- the bytes ---- */

/* Puts `len` bytes back to where they were in the packet, as far as that is within the head. */
static void put_back(struct drop_note *n, size_t at, const uint8_t *bytes, size_t len)
{
	if (at >= n->head_len)
		return;
	memcpy(n->head + at, bytes, len < n->head_len - at ? len : n->head_len - at);
}

static void head(const struct about *a, struct drop_note *out)
{
	const struct work *w = a->w;

	note_head(out, a->job->data, a->job->len);
	put_back(out, w->claimed_at, w->claimed, w->claimed_len);
	if (w->remarked) {
		uint8_t first[2] = { w->inner[0], w->inner[1] };
		first[0] = (uint8_t)((first[0] & 0xf0) | w->class >> 4);
		first[1] = (uint8_t)((first[1] & 0x0f) | w->class << 4);
		put_back(out, (size_t)(w->inner - a->job->data), first, sizeof(first));
	}
	if (!a->c)
		return;
	/* A client's fault may be to send the key itself. */
	size_t at = a->job->source == JOB_FROM_AYIYA       ? AYIYA_AT_SIGNATURE
		    : a->job->source == JOB_FROM_HEARTBEAT ? w->beat.signed_len
							   : DROP_HEAD;
	if (at < out->head_len)
		tunnel_hide_key(a->c, out->head + at, out->head_len - at);
}

void note_take_length(const struct batch *b, size_t i, enum drop why, const struct tunnel_conf *c,
		      struct drop_note *out)
{
	const struct job *job = &b->jobs[i];

	out->why = why;
	out->source = (uint8_t)job->source;
	out->refused = false;
	out->time = b->now.wall;
	out->tunnel = c ? c->id : 0;
	out->len = job->len;
	out->head_len = 0;
	out->peer = endpoint_pack(job->from, 0);
	out->detail[0] = out->detail[1] = 0;
}

void note_take(const struct batch *b, size_t i, enum drop why, const struct tunnel *t,
	       const struct tunnel_conf *c, struct drop_note *out)
{
	struct about a = { b, &b->jobs[i], &b->work[i], t, c };

	note_take_length(b, i, why, c, out);
	if (details[why].detail && (a.w->inner || !details[why].of_inner))
		details[why].detail(&a, out->detail);
	head(&a, out);
}
