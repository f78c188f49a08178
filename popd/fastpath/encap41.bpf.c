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

/* A packet, and how to send it. */
struct packet {
	struct encap41_bits source, destination;
	uint32_t len;     /* of the whole packet */
	uint32_t packets; /* segments of a GSO packet; else 1 */
	uint32_t largest; /* length of the largest of them */
	uint32_t bytes;   /* of all of them */
	uint8_t tos;      /* of the outer header */
	uint32_t slot;
	uint32_t endpoint; /* host order */
	bool dont_fragment;
	struct bpf_fib_lookup next;
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
	uint32_t size = skb->gso_size;
	if (size == 0)
		return true;
	uint32_t headers = segment_headers(packet, end);
	if (headers == 0 || headers >= x->len)
		return false;
	x->packets = (x->len - headers + size - 1) / size;
	x->largest = headers + size;
	x->bytes = x->len + (x->packets - 1) * headers;
	return true;
}

static __always_inline bool is_ours(uint32_t rules, struct encap41_bits a)
{
	for (uint32_t i = 0; i < ENCAP41_OWN && i < encap41_own_count(rules); i++) {
		uint32_t at = encap41_set(rules) * ENCAP41_OWN + i;
		const struct encap41_own *one = bpf_map_lookup_elem(&own, &at);
		if (one && encap41_is_in(a, one->value, one->mask))
			return true;
	}
	return false;
}

static __always_inline const struct encap41_place *route(uint32_t rules, struct encap41_bits to)
{
	for (uint32_t i = 0; i < ENCAP41_LENGTHS && i < encap41_length_count(rules); i++) {
		uint32_t at = encap41_set(rules) * ENCAP41_LENGTHS + i;
		const struct encap41_length *l = bpf_map_lookup_elem(&lengths, &at);
		if (!l)
			break;
		struct encap41_key key = { to.high & l->mask.high, to.low & l->mask.low, l->len,
					   0 };
		const struct encap41_place *place = bpf_map_lookup_elem(&prefixes, &key);
		if (place)
			return place;
	}
	return 0;
}

/* True when the tunnel is up and the packet fits it. */
static __always_inline bool tunnel_accepts(struct packet *x, const struct encap41_conf *c,
					   const struct encap41_place *place)
{
	uint32_t id = place->id;

	x->slot = place->slot & ~ENCAP41_NET;
	if ((place->slot & ENCAP41_NET) && x->destination.low != 2)
		return false;
	const volatile struct encap41_tunnel *t = bpf_map_lookup_elem(&tunnels, &x->slot);
	if (!t)
		return false;
	uint64_t plain = t->plain, endpoint = t->endpoint;
	if (plain >> 32 != id || (uint32_t)plain == 0 || t->held || endpoint == 0 ||
	    !encap41_is_up(plain, t->heard, c->now, c->expiry))
		return false;
	uint32_t mtu = encap41_mtu(plain, t->path, c->now);
	x->endpoint = (uint32_t)(endpoint >> 32);
	x->dont_fragment = mtu > ENCAP41_MTU_MIN;
	return x->largest <= mtu;
}

/* Finds the device and the neighbour, if the kernel knows the neighbour already. */
static __always_inline bool find_neighbour(struct __sk_buff *skb, struct packet *x,
					   const struct encap41_conf *c)
{
	x->next = (struct bpf_fib_lookup){
		.family = AF_INET_FAMILY,
		.l4_protocol = IPPROTO_IPV6,
		.tot_len = x->largest + ENCAP41_IPV4_HEADER,
		.ifindex = skb->ifindex,
		.tos = x->tos,
		.ipv4_src = bpf_htonl(c->ipv4),
		.ipv4_dst = bpf_htonl(x->endpoint),
	};
	if (bpf_fib_lookup(skb, &x->next, sizeof(x->next), 0) != BPF_FIB_LKUP_RET_SUCCESS)
		return false;
	uint32_t device = x->next.ifindex;
	return bpf_map_lookup_elem(&devices, &device) != 0;
}

static __always_inline void write_headers(uint8_t *frame, const struct packet *x,
					  const struct encap41_conf *c)
{
	struct ethhdr *ethernet = (struct ethhdr *)frame;
	struct iphdr *ip = (struct iphdr *)(frame + ETH_HLEN);
	uint32_t total = x->len + ENCAP41_IPV4_HEADER;

	__builtin_memcpy(ethernet->h_dest, x->next.dmac, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, x->next.smac, ETH_ALEN);
	ethernet->h_proto = bpf_htons(ETH_P_IP);
	*ip = (struct iphdr){
		.version = 4,
		.ihl = 5,
		.tos = x->tos,
		/* The kernel writes it anew for each segment of a GSO packet, which it does not
		 * leave to the device when the field is too small. */
		.tot_len = total > 0xffff ? 0 : bpf_htons((uint16_t)total),
		/* a packet that no router fragments needs none (RFC 6864) */
		.id = x->dont_fragment ? 0 : (uint16_t)bpf_get_prandom_u32(),
		.frag_off = x->dont_fragment ? bpf_htons(0x4000) : 0,
		.ttl = TTL,
		.protocol = IPPROTO_IPV6,
		.saddr = bpf_htonl(c->ipv4),
		.daddr = bpf_htonl(x->endpoint),
	};
	const uint16_t *half = (const uint16_t *)ip;
	uint32_t sum = 0;
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
	uint32_t processor = bpf_get_smp_processor_id();
	struct encap41_total *all = bpf_map_lookup_elem(&totals, &processor);
	struct encap41_counters *one = bpf_map_lookup_elem(&counters, &x->slot);

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
	uint32_t zero = 0;
	struct packet x = {};
	const struct encap41_conf *c = bpf_map_lookup_elem(&conf, &zero);

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
	const struct encap41_place *place = route(rules, x.destination);
	if (!place || !tunnel_accepts(&x, c, place) || !find_neighbour(skb, &x, c) ||
	    !add_headroom(skb))
		return TC_ACT_OK;
	bool sent = encapsulate(skb, &x, c);
	count(&x, sent);
	return sent ? bpf_redirect(x.next.ifindex, 0) : TC_ACT_SHOT;
}

/* bpf_fib_lookup requires a license compatible with the GPL. */
char _license[] SEC("license") = "Dual BSD/GPL";
