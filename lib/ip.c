#include "lib/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "lib/err.h"
#include "lib/num.h"
#include "lib/wr.h"

/* Copies text without a NUL inside to a C string, for inet_pton. False: it does not fit. */
static bool copy_text(const char *text, size_t len, char *out, size_t size)
{
	if (len == 0 || len >= size || memchr(text, '\0', len))
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

int ip4_parse(const char *text, size_t len, struct ip4 *out)
{
	char copy[IP4_TEXT];
	struct in_addr addr;

	if (!copy_text(text, len, copy, sizeof(copy)) || inet_pton(AF_INET, copy, &addr) != 1)
		return -ERR_FORMAT;
	out->v = ntohl(addr.s_addr);
	return 0;
}

int ip6_parse(const char *text, size_t len, struct ip6 *out)
{
	char copy[IP6_TEXT];
	struct in6_addr addr;

	if (!copy_text(text, len, copy, sizeof(copy)) || inet_pton(AF_INET6, copy, &addr) != 1)
		return -ERR_FORMAT;
	memcpy(out->b, &addr, sizeof(out->b));
	return 0;
}

int prefix6_parse(const char *text, size_t len, struct prefix6 *out)
{
	const char *slash = memchr(text, '/', len);
	struct prefix6 p;
	uint64_t bits;

	if (!slash || ip6_parse(text, (size_t)(slash - text), &p.addr) != 0)
		return -ERR_FORMAT;
	size_t bits_len = len - (size_t)(slash + 1 - text);
	if (bits_len > 3 || (bits_len > 1 && slash[1] == '0') ||
	    num_parse_u64(slash + 1, bits_len, 0, 128, &bits) != 0)
		return -ERR_FORMAT;
	p.len = (uint8_t)bits;
	struct ip6 masked = ip6_mask(&p.addr, p.len);
	if (!ip6_equal(&masked, &p.addr))
		return -ERR_FORMAT;
	*out = p;
	return 0;
}

const char *ip4_text(struct ip4 ip, char out[static IP4_TEXT])
{
	snprintf(out, IP4_TEXT, "%u.%u.%u.%u", ip.v >> 24, ip.v >> 16 & 0xff, ip.v >> 8 & 0xff,
		 ip.v & 0xff);
	return out;
}

static unsigned group(const struct ip6 *ip, unsigned i)
{
	return (unsigned)ip->b[2 * i] << 8 | ip->b[2 * i + 1];
}

/* The first of the longest runs of two or more zero groups (RFC 5952 4.2.3): its length, and where
 * it starts. */
static unsigned longest_zero_run(const struct ip6 *ip, unsigned *start)
{
	unsigned best = 0;

	*start = 8;
	for (unsigned i = 0, run = 0; i < 8; i++) {
		run = group(ip, i) == 0 ? run + 1 : 0;
		if (run > best && run >= 2) {
			best = run;
			*start = i + 1 - run;
		}
	}
	return best;
}

const char *ip6_text(const struct ip6 *ip, char out[static IP6_TEXT])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct wr w = wr_init(out, IP6_TEXT);
	unsigned zeros_at;
	unsigned zeros = longest_zero_run(ip, &zeros_at);

	/* RFC 5952 5: mixed notation for ::ffff:0:0/96. */
	if (memcmp(ip->b, mapped, sizeof(mapped)) == 0) {
		wr_fmt(&w, "::ffff:%u.%u.%u.%u", ip->b[12], ip->b[13], ip->b[14], ip->b[15]);
	} else {
		for (unsigned i = 0; i < 8; i++) {
			if (i == zeros_at) {
				wr_str(&w, "::");
				i += zeros - 1;
				continue;
			}
			bool needs_colon = i > 0 && i != zeros_at + zeros;
			wr_fmt(&w, needs_colon ? ":%x" : "%x", group(ip, i));
		}
	}
	(void)wr_cstr(&w);
	return out;
}

const char *prefix6_text(const struct prefix6 *p, char out[static PREFIX6_TEXT])
{
	char addr[IP6_TEXT];

	snprintf(out, PREFIX6_TEXT, "%s/%u", ip6_text(&p->addr, addr), (unsigned)p->len);
	return out;
}

const char *endpoint4_text(struct endpoint4 e, char out[static ENDPOINT4_TEXT])
{
	char addr[IP4_TEXT];

	ip4_text(e.addr, addr);
	if (e.port == 0)
		snprintf(out, ENDPOINT4_TEXT, "%s", addr);
	else
		snprintf(out, ENDPOINT4_TEXT, "%s:%u", addr, (unsigned)e.port);
	return out;
}

struct ip6 ip6_mask(const struct ip6 *ip, unsigned len)
{
	struct ip6 masked = *ip;

	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = len <= 8 * i ? 0 : len - 8 * i;
		if (kept < 8)
			masked.b[i] &= (uint8_t)(0xff00U >> kept);
	}
	return masked;
}

bool prefix6_equal(const struct prefix6 *a, const struct prefix6 *b)
{
	return a->len == b->len && ip6_equal(&a->addr, &b->addr);
}

/* ---- special-purpose addresses ---- */

struct block4 {
	uint32_t value;
	uint8_t len;
};
struct block6 {
	uint64_t high, low;
	uint8_t len;
};

/* clang-format off */
static const struct block4 never_global4[] = {
	{ 0x00000000, 8 },  /* this network */
	{ 0x0a000000, 8 },  /* 10/8, private (RFC 1918) */
	{ 0x64400000, 10 }, /* 100.64/10, shared by carriers (RFC 6598) */
	{ 0x7f000000, 8 },  /* loopback */
	{ 0xa9fe0000, 16 }, /* 169.254/16, link-local */
	{ 0xac100000, 12 }, /* 172.16/12, private */
	{ 0xc0a80000, 16 }, /* 192.168/16, private */
	{ 0xc6120000, 15 }, /* 198.18/15, benchmarking (RFC 2544) */
	{ 0xe0000000, 3 },  /* multicast and reserved */
};

static const struct block6 never_global6[] = {
	{ 0, 0, 96 },                                 /* ::, ::1, IPv4-compatible */
	{ 0, UINT64_C(0x0000ffff00000000), 96 },      /* IPv4-mapped */
	{ UINT64_C(0x0064ff9b00010000), 0, 48 },      /* local NAT64 (RFC 8215) */
	{ UINT64_C(0x0100000000000000), 0, 64 },      /* discard-only (RFC 6666) */
	{ UINT64_C(0x2001000200000000), 0, 48 },      /* benchmarking (RFC 5180) */
	{ UINT64_C(0x5f00000000000000), 0, 16 },      /* segment routing (RFC 9602) */
	{ UINT64_C(0xfc00000000000000), 0, 7 },       /* unique local (RFC 4193) */
	{ UINT64_C(0xfe80000000000000), 0, 10 },      /* link-local */
	{ UINT64_C(0xfec0000000000000), 0, 10 },      /* site-local (RFC 3879) */
};
/* clang-format on */

static bool is_never_global4(uint32_t v)
{
	for (size_t i = 0; i < ARRAY_LEN(never_global4); i++)
		if ((v ^ never_global4[i].value) >> (32 - never_global4[i].len) == 0)
			return true;
	return false;
}

static bool is_in_block6(uint64_t high, uint64_t low, const struct block6 *b)
{
	if (b->len <= 64)
		return (high ^ b->high) >> (64 - b->len) == 0;
	return high == b->high && (low ^ b->low) >> (128 - b->len) == 0;
}

static uint64_t word(const struct ip6 *ip, size_t at)
{
	uint64_t v = 0;

	for (size_t i = 0; i < 8; i++)
		v = v << 8 | ip->b[at + i];
	return v;
}

bool ip6_is_never_global(const struct ip6 *ip)
{
	uint64_t high = word(ip, 0), low = word(ip, 8);

	/* 6to4 (RFC 3056): 2002 | IPv4 | ... */
	if (high >> 48 == 0x2002)
		return is_never_global4((uint32_t)(high >> 16));
	for (size_t i = 0; i < ARRAY_LEN(never_global6); i++)
		if (is_in_block6(high, low, &never_global6[i]))
			return true;
	return false;
}

bool ip4_is_martian(struct ip4 ip)
{
	uint32_t first = ip.v >> 24;
	return first == 0 || first == 127 || first >= 224;
}
