/* IPv4 and IPv6 addresses, prefixes and endpoints as values, with their text forms. Pure. */
#ifndef LIB_IP_H
#define LIB_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/cc.h"

struct ip4 {
	uint32_t v; /* host byte order: 192.0.2.1 is 0xc0000201; 0: none */
};

struct ip6 {
	uint8_t b[16]; /* network byte order */
};

struct prefix6 {
	struct ip6 addr; /* bits beyond len are zero */
	uint8_t len;     /* 0..128 */
};

struct endpoint4 {
	struct ip4 addr;
	uint16_t port; /* host byte order; 0: protocol 41, which has no ports */
};

enum {
	IP4_TEXT = 16,       /* with NUL */
	IP6_TEXT = 46,       /* with NUL */
	PREFIX6_TEXT = 50,   /* with NUL */
	ENDPOINT4_TEXT = 22, /* with NUL: 255.255.255.255:65535 */
};

/* Strict parsers of the whole of `text` (`len` bytes, no NUL needed): 0 or -ERR_FORMAT. IPv4: four
 * decimal numbers without leading zeros. IPv6: any form of RFC 4291 2.2 without a zone. A prefix
 * has no bits set beyond its length. */
int ip4_parse(const char *text, size_t len, struct ip4 *out) NONNULL MUSTCHECK;
int ip6_parse(const char *text, size_t len, struct ip6 *out) NONNULL MUSTCHECK;
int prefix6_parse(const char *text, size_t len, struct prefix6 *out) NONNULL MUSTCHECK;

/* Text forms into the caller's buffer, which is returned. IPv6 as RFC 5952 writes it. */
const char *ip4_text(struct ip4 ip, char out[static IP4_TEXT]) NONNULL;
const char *ip6_text(const struct ip6 *ip, char out[static IP6_TEXT]) NONNULL;
const char *prefix6_text(const struct prefix6 *p, char out[static PREFIX6_TEXT]) NONNULL;
/* "a.b.c.d:port", or "a.b.c.d" alone when the port is 0. */
const char *endpoint4_text(struct endpoint4 e, char out[static ENDPOINT4_TEXT]) NONNULL;

static inline struct ip6 ip6_load(const uint8_t b[static 16])
{
	struct ip6 ip;
	memcpy(ip.b, b, 16);
	return ip;
}
static inline bool ip6_equal(const struct ip6 *a, const struct ip6 *b)
{
	return memcmp(a->b, b->b, 16) == 0;
}

/* `ip` with every bit beyond `len` cleared. */
struct ip6 ip6_mask(const struct ip6 *ip, unsigned len) NONNULL;
bool prefix6_equal(const struct prefix6 *a, const struct prefix6 *b) NONNULL;

/* Addresses that no endpoint may have: 0/8, 127/8, 224/4 and 240/4 (RFC 6890). */
bool ip4_is_martian(struct ip4 ip);

/* Unicast addresses that no packet on the Internet has (the special-purpose registries of RFC 6890):
 * IPv4-compatible and -mapped ones, ::, ::1, link-local, site-local and unique local addresses,
 * 64:ff9b:1::/48, 100::/64, 2001:2::/48, 5f00::/16, and 6to4 of an IPv4 address that is itself not
 * global. Documentation prefixes are not among them: laboratories use them. */
bool ip6_is_never_global(const struct ip6 *ip) NONNULL;

#endif
