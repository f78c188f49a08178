/*
 * popd's fast path in the kernel: protocol-41 encapsulation at the TUN's egress (clsact), for plain
 * packets only, which it sends exactly as popd would. It passes all other packets on to the TUN,
 * and popd decides about them with its reasons, answers and counters.
 *
 * A plain packet is a whole IPv6 packet, or a GSO packet of TCP or UDP (then lengths are those of
 * its segments):
 *  - between global unicast addresses that do not embed the PoP's, from outside its prefixes,
 *  - routed to a static or heartbeat tunnel that is enabled, up and not held, but not to the PoP's
 *    end of it,
 *  - with a hop limit above 1, within the tunnel's MTU,
 *  - whose outer packet fits the route to the endpoint, by an Ethernet device whose next neighbour
 *    the kernel knows.
 *
 * All checks come before the first change of the packet, since a changed packet cannot be passed
 * on. When popd dies, the lease in the configuration soon ends the fast path.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "popd/fastpath/encap41.h"

/* popd sets the sizes of the maps before it loads them, and maps those that it writes often. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct encap41_conf);
} conf SEC(".maps");

/* Arrays of their own, since without CAP_PERFMON a program cannot index an array in a map's
 * value. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ENCAP41_SETS *ENCAP41_OWN);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct encap41_own);
} own SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ENCAP41_SETS *ENCAP41_LENGTHS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct encap41_length);
} lengths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct encap41_tunnel);
} tunnels SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct encap41_counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, uint32_t);
	__type(value, struct encap41_total);
} totals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct encap41_key);
	__type(value, struct encap41_place);
} prefixes SEC(".maps");

/* The Ethernet devices; packets get an Ethernet header. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ENCAP41_DEVICES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, uint32_t);
	__type(value, uint8_t);
} devices SEC(".maps");

enum {
	IPV6_HEADER = 40,
	IPV6_AT_HOPS = 7,
	TCP_HEADER = 20,
	UDP_HEADER = 8,
	AF_INET_FAMILY = 2,
	ADDED = ETH_HLEN + ENCAP41_IPV4_HEADER,
	TTL = 64,
};

/*
 * Without CAP_PERFMON, the verifier of Linux 6.1 refuses a store of less than 8 bytes to a place of
 * the stack that has held a whole register, and the compiler reuses places. Therefore whatever may
 * be on the stack is made of 64-bit words, also keys and structures of the kernel.
 */

/* `value` as the `size` bytes at offset `at` of a word. */
static __always_inline uint64_t field(unsigned at, unsigned size, uint64_t value)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	(void)size;
	return value << (8 * at);
#else
	return value << (8 * (sizeof(value) - at - size));
#endif
}

/* The element of an array. */
static __always_inline void *element(void *map, uint64_t index)
{
	uint64_t key = field(0, sizeof(uint32_t), index);

	return bpf_map_lookup_elem(map, &key);
}

/* bpf_fib_lookup's structure. */
union next {
	uint64_t words[8];
	struct bpf_fib_lookup fib;
};
_Static_assert(sizeof(union next) == sizeof(struct bpf_fib_lookup), "whole words");

#define FIB(member, value)                                                \
	field(offsetof(struct bpf_fib_lookup, member) % sizeof(uint64_t), \
	      sizeof(((struct bpf_fib_lookup *)0)->member), (value))

/* A packet, and how to send it. */
struct packet {
	struct encap41_bits source, destination;
	uint64_t len;     /* of the whole packet */
	uint64_t packets; /* segments of a GSO packet; else 1 */
	uint64_t largest; /* length of the largest of them */
	uint64_t bytes;   /* of all of them */
	uint64_t tos;     /* of the outer header */
	uint64_t slot;
	uint64_t endpoint; /* host order */
	uint64_t dont_fragment;
	union next next;
};

static __always_inline uint8_t *start_of(const struct __sk_buff *skb)
{
	return (uint8_t *)(long)skb->data;
}

static __always_inline const uint8_t *end_of(const struct __sk_buff *skb)
{
	return (const uint8_t *)(long)skb->data_end;
}

static __always_inline struct encap41_bits bits_at(const void *p)
{
	const __be64 *word = p;

	return (struct encap41_bits){ bpf_be64_to_cpu(word[0]), bpf_be64_to_cpu(word[1]) };
}

/* The length of the headers that each segment of a GSO packet gets; 0: popd cannot cut the
 * packet. */
static __always_inline uint32_t segment_headers(const uint8_t *packet, const uint8_t *end)
{
	if (packet + IPV6_HEADER + TCP_HEADER > end)
		return 0;
	if (packet[6] == IPPROTO_UDP)
		return IPV6_HEADER + UDP_HEADER;
	return packet[6] == IPPROTO_TCP ? IPV6_HEADER + (packet[IPV6_HEADER + 12] >> 4) * 4u : 0;
}

/* Makes the first `len` bytes linear. `len` is a constant: without CAP_PERFMON the verifier allows
 * no other offset from a packet's address. */
static __always_inline bool pull(struct __sk_buff *skb, const uint32_t len)
{
	if (skb->len < len)
		return false;
	return start_of(skb) + len <= end_of(skb) || bpf_skb_pull_data(skb, len) == 0;
}

static __always_inline bool read_packet(struct __sk_buff *skb, struct packet *x,
					const struct encap41_conf *c)
{
	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return false;
	if (skb->gso_size ? !pull(skb, IPV6_HEADER + TCP_HEADER) : !pull(skb, IPV6_HEADER))
		return false;
	const uint8_t *packet = start_of(skb), *end = end_of(skb);
	if (packet + IPV6_HEADER > end)
		return false;
	x->len = skb->len;
	if (packet[0] >> 4 != 6 || packet[IPV6_AT_HOPS] <= 1 ||
	    ((uint32_t)packet[4] << 8 | packet[5]) + IPV6_HEADER != x->len)
		return false;
	uint8_t class = (uint8_t)(packet[0] << 4 | packet[1] >> 4);
	x->tos = (uint8_t)((class & c->tos_kept) | c->tos_set);
	x->source = bits_at(packet + 8);
	x->destination = bits_at(packet + 24);
	x->packets = 1;
	x->largest = x->bytes = x->len;
	uint64_t size = skb->gso_size;
	if (size == 0)
		return true;
	uint64_t headers = segment_headers(packet, end);
	if (headers == 0 || headers >= x->len)
		return false;
	x->packets = (x->len - headers + size - 1) / size;
	x->largest = headers + size;
	x->bytes = x->len + (x->packets - 1) * headers;
	return true;
}

/* What is_ours and route look for: `address`, and in which set of rules. */
struct search {
	uint64_t set;
	struct encap41_bits address;
	uint64_t found;    /* not 0: it was found, */
	uint64_t slot, id; /* and a tunnel's place */
};

/* The loops are the kernel's (bpf_loop, Linux 5.17): with its branches counted for each turn, a loop
 * of ours is too complex for the verifier. A callback returns 1 to end the loop. */
static long try_own(uint32_t i, struct search *s)
{
	const struct encap41_own *one = element(&own, s->set * ENCAP41_OWN + i);

	if (one && encap41_is_in(s->address, one->value, one->mask))
		s->found = 1;
	return s->found != 0;
}

static long try_length(uint32_t i, struct search *s)
{
	const struct encap41_length *l = element(&lengths, s->set * ENCAP41_LENGTHS + i);

	if (!l)
		return 1;
	uint64_t key[] = { s->address.high & l->mask.high, s->address.low & l->mask.low,
			   field(0, sizeof(l->len), l->len) };
	_Static_assert(sizeof(key) == sizeof(struct encap41_key), "whole words");
	const struct encap41_place *place = bpf_map_lookup_elem(&prefixes, key);
	if (!place)
		return 0;
	s->slot = place->slot;
	s->id = place->id;
	s->found = 1;
	return 1;
}

static __always_inline bool is_ours(uint32_t rules, struct encap41_bits a)
{
	struct search s = { encap41_set(rules), a, 0, 0, 0 };

	bpf_loop(encap41_own_count(rules), try_own, &s, 0);
	return s.found != 0;
}

static __always_inline bool route(uint32_t rules, struct encap41_bits to, struct search *s)
{
	*s = (struct search){ encap41_set(rules), to, 0, 0, 0 };
	bpf_loop(encap41_length_count(rules), try_length, s, 0);
	return s->found != 0;
}

/* True when the tunnel is up and the packet fits it. */
static __always_inline bool tunnel_accepts(struct packet *x, const struct encap41_conf *c,
					   const struct search *place)
{
	x->slot = place->slot & ~(uint64_t)ENCAP41_NET;
	if ((place->slot & ENCAP41_NET) && x->destination.low != 2)
		return false;
	const volatile struct encap41_tunnel *t = element(&tunnels, x->slot);
	if (!t)
		return false;
	uint64_t plain = t->plain, endpoint = t->endpoint;
	if (plain >> 32 != place->id || (uint32_t)plain == 0 || t->held || endpoint == 0 ||
	    !encap41_is_up(plain, t->heard, c->now, c->expiry))
		return false;
	uint64_t mtu = encap41_mtu(plain, t->path, c->now);
	x->endpoint = endpoint >> 32;
	x->dont_fragment = mtu > ENCAP41_MTU_MIN;
	return x->largest <= mtu;
}

/* Finds the device and the neighbour, if the kernel knows the neighbour already. */
static __always_inline bool find_neighbour(struct __sk_buff *skb, struct packet *x,
					   const struct encap41_conf *c)
{
	uint64_t *word = x->next.words;

	word[0] = FIB(family, AF_INET_FAMILY) | FIB(l4_protocol, IPPROTO_IPV6) |
		  FIB(tot_len, x->largest + ENCAP41_IPV4_HEADER);
	word[1] = FIB(ifindex, skb->ifindex) | FIB(tos, x->tos);
	word[2] = FIB(ipv4_src, bpf_htonl(c->ipv4));
	word[4] = FIB(ipv4_dst, bpf_htonl((uint32_t)x->endpoint));
	word[3] = word[5] = word[6] = word[7] = 0;
	if (bpf_fib_lookup(skb, &x->next.fib, sizeof(x->next), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	uint64_t device = field(0, sizeof(uint32_t), x->next.fib.ifindex);
	return bpf_map_lookup_elem(&devices, &device) != 0;
}

static __always_inline void write_headers(uint8_t *frame, const struct packet *x,
					  const struct encap41_conf *c)
{
	struct ethhdr *ethernet = (struct ethhdr *)frame;
	struct iphdr *ip = (struct iphdr *)(frame + ETH_HLEN);
	uint64_t total = x->len + ENCAP41_IPV4_HEADER;

	__builtin_memcpy(ethernet->h_dest, x->next.fib.dmac, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, x->next.fib.smac, ETH_ALEN);
	ethernet->h_proto = bpf_htons(ETH_P_IP);
	*(uint8_t *)ip = 0x45; /* version 4, 20 bytes */
	ip->tos = (uint8_t)x->tos;
	/* The kernel writes it anew for each segment of a GSO packet, which it does not leave to
	 * the device when the field is too small. */
	ip->tot_len = total > 0xffff ? 0 : bpf_htons((uint16_t)total);
	/* a packet that no router fragments needs none (RFC 6864) */
	ip->id = x->dont_fragment ? 0 : (uint16_t)bpf_get_prandom_u32();
	ip->frag_off = x->dont_fragment ? bpf_htons(0x4000) : 0;
	ip->ttl = TTL;
	ip->protocol = IPPROTO_IPV6;
	ip->check = 0;
	ip->saddr = bpf_htonl(c->ipv4);
	ip->daddr = bpf_htonl((uint32_t)x->endpoint);
	const uint16_t *half = (const uint16_t *)ip;
	uint64_t sum = 0;
#pragma unroll
	for (int i = 0; i < ENCAP41_IPV4_HEADER / 2; i++)
		sum += half[i];
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = (uint16_t) ~(sum + (sum >> 16));
	frame[ADDED + IPV6_AT_HOPS]--;
}

/* Makes room for the IPv4 header: the first change of the packet. */
static __always_inline bool add_headroom(struct __sk_buff *skb)
{
	const uint64_t how = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;

	return bpf_skb_adjust_room(skb, ENCAP41_IPV4_HEADER, BPF_ADJ_ROOM_MAC, how) == 0;
}

static __always_inline bool encapsulate(struct __sk_buff *skb, const struct packet *x,
					const struct encap41_conf *c)
{
	if (bpf_skb_change_head(skb, ETH_HLEN, 0) != 0)
		return false;
	uint8_t *frame = start_of(skb);
	if (frame + ADDED + IPV6_HEADER > end_of(skb))
		return false;
	write_headers(frame, x, c);
	return true;
}

/* Atomic, since other processors may count for the same tunnel. */
static __always_inline void count(const struct packet *x, bool sent)
{
	struct encap41_total *all = element(&totals, bpf_get_smp_processor_id());
	struct encap41_counters *one = element(&counters, x->slot);

	if (!all || !one)
		return;
	if (!sent) {
		__sync_fetch_and_add(&all->refused, x->packets);
		return;
	}
	__sync_fetch_and_add(&all->packets, x->packets);
	__sync_fetch_and_add(&all->bytes, x->bytes);
	__sync_fetch_and_add(&one->packets_out, x->packets);
	__sync_fetch_and_add(&one->bytes_out, x->bytes);
}

int encap41(struct __sk_buff *skb);

SEC("tc")
int encap41(struct __sk_buff *skb)
{
	struct packet x = {};
	struct search place;
	const struct encap41_conf *c = element(&conf, 0);

	if (!c || c->ipv4 == 0 || bpf_ktime_get_coarse_ns() > c->lease_ns)
		return TC_ACT_OK;
	uint32_t rules = c->rules;
	if (!read_packet(skb, &x, c))
		return TC_ACT_OK;
	if (!encap41_is_plain_address(x.source, c->ipv4) ||
	    !encap41_is_plain_address(x.destination, c->ipv4) || is_ours(rules, x.source))
		return TC_ACT_OK;
	/* <tunnel prefix>:ffff::1 is popd itself, even if the address is routed to a tunnel */
	if ((uint16_t)x.destination.high == 0xffff && x.destination.low == 1)
		return TC_ACT_OK;
	if (!route(rules, x.destination, &place) || !tunnel_accepts(&x, c, &place) ||
	    !find_neighbour(skb, &x, c) || !add_headroom(skb))
		return TC_ACT_OK;
	bool sent = encapsulate(skb, &x, c);
	count(&x, sent);
	return sent ? bpf_redirect(x.next.fib.ifindex, 0) : TC_ACT_SHOT;
}

/* bpf_fib_lookup requires a license compatible with the GPL. */
char _license[] SEC("license") = "Dual BSD/GPL";
