/*
 * What popd and its kernel program (encap41.bpf.c) share: the layouts of the maps, and the
 * predicates that must agree on both sides. It is compiled for BPF and for popd, therefore it has
 * fixed-width types only, and no atomic ones.
 *
 * struct encap41_tunnel describes popd's own array of tunnels (popd/core/tunnel.h), which lies in a
 * map. bpf_encap.c checks at compile time that the two agree.
 */
#ifndef POPD_FASTPATH_ENCAP41_H
#define POPD_FASTPATH_ENCAP41_H

#include <stdbool.h>
#include <stdint.h>

enum {
	ENCAP41_LENGTHS = 129, /* prefix lengths, 0 to 128 */
	ENCAP41_OWN = 64,      /* the largest number of prefixes of a PoP */
	ENCAP41_DEVICES = 4096,
	ENCAP41_IPV4_HEADER = 20,
	ENCAP41_MTU_MIN = 1280,
	ENCAP41_PATH_LIFE = 600, /* seconds until a path MTU expires */
};

/* ---- the tunnel, read only ---- */

struct encap41_tunnel {
	uint64_t conf;
	uint64_t endpoint; /* IPv4 address in the upper half */
	/* the path word of popd/core/path.h: MTU << 32 | a mono_s_t */
	uint64_t path;
	uint32_t newest;
	uint32_t heard;
	/* tunnel_plain of tunnel.h: T-id << 32 | MTU << 16 | flags; 0: popd's alone */
	uint64_t plain;
	uint32_t probe;
	uint32_t held;
	uint8_t unused[16];
};
enum { ENCAP41_PLAIN_STATIC = 1 }; /* a static tunnel, which never expires */

/* struct tunnel_counters of popd/core/counters.h. */
struct encap41_counters {
	uint64_t in[2];
	uint64_t packets_out, bytes_out;
	uint64_t unused[4];
};

/* ---- prefix to tunnel ---- */

struct encap41_key {
	uint64_t high, low; /* host order, cut to `len` bits */
	uint32_t len;
	uint32_t zero;
};
struct encap41_place {
	uint32_t slot; /* ENCAP41_NET set: the tunnel's own /64, of which only ::2 is the client */
	uint32_t id;   /* T-id; the slot may belong to another tunnel by now */
};
#define ENCAP41_NET (UINT32_C(1) << 31)

/* ---- the PoP ---- */

struct encap41_bits {
	uint64_t high, low;
};
struct encap41_length {
	struct encap41_bits mask;
	uint32_t len;
	uint32_t zero;
};
/* A prefix of the PoP; no packet from outside may have a source address in it. */
struct encap41_own {
	struct encap41_bits value, mask;
};
struct encap41_conf {
	/* CLOCK_MONOTONIC: after it the program passes all packets to popd, which may be dead */
	uint64_t lease_ns;
	uint32_t now;      /* of a mono_s_t, as of the last renewal of the lease */
	uint32_t expiry;   /* seconds */
	uint32_t ipv4;     /* of the PoP, host order; 0: the program passes all packets to popd */
	uint32_t rules;    /* the rules word below */
	uint32_t tos_kept; /* bits of the inner traffic class that the outer header copies, */
	uint32_t tos_set;  /* and bits that are always set in it */
};

/* There are two sets of own prefixes and of lengths in use (longest first): one valid, the other
 * the next to be written. The rules word: length count << 16 | own count << 8 | valid set. */
enum { ENCAP41_SETS = 2 };
static inline uint32_t encap41_rules_word(uint32_t set, uint32_t own, uint32_t lengths)
{
	return lengths << 16 | own << 8 | set;
}
static inline uint32_t encap41_set(uint32_t word)
{
	return word & 1;
}
static inline uint32_t encap41_own_count(uint32_t word)
{
	return word >> 8 & 0xff;
}
static inline uint32_t encap41_length_count(uint32_t word)
{
	return word >> 16;
}

/* The sums over the PoP, one per processor. */
struct encap41_total {
	uint64_t packets, bytes;
	uint64_t refused; /* packets dropped since there was no memory */
	uint64_t unused[5];
};

/* ---- predicates ---- */

/* A global unicast address (IPV6_GLOBAL of lib/wire/ipv6.h) that does not embed `v4` (ipv6_embeds).
 * Some such addresses are left to popd: all outside 2000::/3 and in 2001::/23 and 2002::/16. */
static inline bool encap41_is_plain_address(struct encap41_bits a, uint32_t v4)
{
	uint32_t first = (uint32_t)(a.high >> 32), last = (uint32_t)a.low,
		 third = (uint32_t)(a.low >> 32);

	if (first >> 29 != 1 || first >> 9 == 0x20010000 >> 9 || first >> 16 == 0x2002)
		return false;
	return (third & ~UINT32_C(0x02000000)) != 0x00005efe || last != v4;
}

static inline bool encap41_is_in(struct encap41_bits a, struct encap41_bits value,
				 struct encap41_bits mask)
{
	return (((a.high & mask.high) ^ value.high) | ((a.low & mask.low) ^ value.low)) == 0;
}

/* tunnel_is_up for an enabled tunnel that has an endpoint. */
static inline bool encap41_is_up(uint64_t plain, uint32_t heard, uint32_t now, uint32_t expiry)
{
	return (plain & ENCAP41_PLAIN_STATIC) || heard >= now || now - heard <= expiry;
}

/* encap_mtu for a protocol-41 tunnel. */
static inline uint32_t encap41_mtu(uint64_t plain, uint64_t path, uint32_t now)
{
	uint32_t mtu = (uint32_t)(plain >> 16) & 0xffff, path_mtu = (uint32_t)(path >> 32),
		 since = (uint32_t)path;
	uint32_t age = now >= since ? now - since : 0;

	if (path_mtu != 0 && age < ENCAP41_PATH_LIFE && path_mtu < mtu + ENCAP41_IPV4_HEADER)
		mtu = path_mtu < ENCAP41_IPV4_HEADER ? 0 : path_mtu - ENCAP41_IPV4_HEADER;
	return mtu < ENCAP41_MTU_MIN ? ENCAP41_MTU_MIN : mtu;
}

#endif
