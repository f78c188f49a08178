/*
 * Every reason for which the data path lets a packet go, in one list: the enum, the names in
 * popctl, metrics and database, the counters and the test that each reason is reached by some
 * packet all come from it. DROP_NONE (0) means the packet passes. X(enumerator, name, sentence that
 * tells the user or the operator what it means)
 */
#ifndef POPD_CORE_DROP_H
#define POPD_CORE_DROP_H

#include <stdint.h>

#define DROP_LIST(X)                                                                              \
	/* outer packet */                                                                        \
	X(OUTER_SHORT, "outer-short", "the packet ends before its tunnel header does")            \
	X(OUTER_MARTIAN, "outer-martian", "the outer IPv4 source cannot be an endpoint")          \
	/* AYIYA */                                                                               \
	X(AYIYA_FORM, "ayiya-form",                                                               \
	  "not the AYIYA header of a 16-byte identity with a shared secret")                      \
	X(AYIYA_UNSIGNED, "ayiya-unsigned", "the packet is not signed")                           \
	X(AYIYA_METHOD, "ayiya-method", "signed with a hash method that is not served here")      \
	X(AYIYA_OPCODE, "ayiya-opcode", "an AYIYA opcode that a client has no use for")           \
	X(AYIYA_NEXT_HEADER, "ayiya-next-header", "the payload is neither IPv6 nor nothing")      \
	X(AYIYA_SIGNATURE, "ayiya-signature",                                                     \
	  "the signature is wrong: the client's tunnel password is not ours")                     \
	/* heartbeat */                                                                           \
	X(BEAT_FORM, "beat-form", "not a heartbeat line")                                         \
	X(BEAT_ADDRESS, "beat-address",                                                           \
	  "the heartbeat names another IPv4 address than it came from")                           \
	X(BEAT_SIGNATURE, "beat-signature",                                                       \
	  "the heartbeat's digest is wrong: the client's tunnel password is not ours")            \
	/* who and when, for both */                                                              \
	X(TUNNEL_UNKNOWN, "tunnel-unknown", "no tunnel of this identity on this PoP")             \
	X(TUNNEL_TYPE, "tunnel-type", "the tunnel is of another type")                            \
	X(TUNNEL_DISABLED, "tunnel-disabled", "the tunnel is disabled")                           \
	X(TUNNEL_DOWN, "tunnel-down",                                                             \
	  "the tunnel is down: nothing valid heard from its client of late")                      \
	X(CLOCK_SKEW, "clock-skew", "the client's clock is more than 120 s from ours")            \
	X(REPLAY_STALE, "replay-stale", "older than what the tunnel has already sent")            \
	X(REPLAY_MOVE, "replay-move",                                                             \
	  "from another address, but not newer than the newest: a replay")                        \
	X(ENDPOINT_MISMATCH, "endpoint-mismatch",                                                 \
	  "protocol 41 from an IPv4 address that is not the tunnel's endpoint")                   \
	/* what others say of packets that we sent */                                             \
	X(OUTER_UNREACHABLE, "outer-unreachable",                                                 \
	  "a router, or the client's own machine, says that our packets do not reach the client") \
	X(OUTER_TIME_EXCEEDED, "outer-time-exceeded",                                             \
	  "our packets run in circles, or arrive in pieces of which some are missing")            \
	X(OUTER_PARAMETER, "outer-parameter-problem",                                             \
	  "a router does not like the IPv4 header of our packets")                                \
	X(OUTER_TOO_BIG, "outer-too-big",                                                         \
	  "the IPv4 path to the client takes no packets that large")                              \
	X(ICMP4_UNVERIFIED, "icmp4-unverified",                                                   \
	  "an ICMPv4 error about nothing that this PoP sends to a tunnel")                        \
	/* inner packet */                                                                        \
	X(INNER_SHORT, "inner-short", "the inner packet is shorter than its IPv6 header says")    \
	X(INNER_VERSION, "inner-version", "the inner packet is not IPv6")                         \
	X(INNER_MARTIAN_SOURCE, "inner-martian-source",                                           \
	  "an inner source that no packet may have on the way")                                   \
	X(INNER_MARTIAN_DEST, "inner-martian-dest", "an inner destination that is not routed")    \
	X(INNER_MULTICAST, "inner-multicast",                                                     \
	  "inner multicast, which a point-to-point tunnel has no use for")                        \
	X(LINK_LOCAL, "link-local", "the client's own link-local chatter, which is no fault")     \
	X(SPOOFED_FROM_TUNNEL, "spoofed-from-tunnel",                                             \
	  "the inner source is not of the tunnel's prefixes")                                     \
	X(SPOOFED_FROM_UPLINK, "spoofed-from-uplink",                                             \
	  "came from the uplink with a source of our own prefixes")                               \
	X(SAME_TUNNEL, "same-tunnel", "would leave by the tunnel it came from")                   \
	X(TUNNEL_LOOP, "tunnel-loop",                                                             \
	  "inner addresses that would loop a tunnel into a tunnel (RFC 6324)")                    \
	X(HOP_LIMIT, "hop-limit", "the hop limit ran out")                                        \
	X(TOO_BIG, "too-big", "larger than the tunnel's MTU")                                     \
	X(NO_SUCH_TUNNEL, "no-such-tunnel",                                                       \
	  "the destination is of our prefixes, but no tunnel has it")                             \
	X(TUNNEL_NET_HOST, "tunnel-net-host",                                                     \
	  "a host of the tunnel's own /64 other than ::1 and ::2")                                \
	X(NOT_FOR_POP, "not-for-pop", "to the PoP's own address, which offers no such service")   \
	X(POP_UNUSED, "pop-unused", "to the PoP's own address, heard and needing no answer")      \
	X(ECN_INVALID, "ecn-invalid",                                                             \
	  "outer congestion mark on a packet that does not know congestion marks (RFC 6040)")     \
	/* our own limits */                                                                      \
	X(NO_ENDPOINT, "no-endpoint", "the tunnel has no endpoint to send to")                    \
	X(TUN_REFUSED, "tun-refused", "the kernel did not take the packet on the TUN")            \
	X(SEND_REFUSED, "send-refused", "the kernel did not take the outer packet")               \
	X(INTERNAL, "internal", "a fault of popd itself")

enum drop {
	DROP_NONE,
#define X(e, name, text) DROP_##e,
	DROP_LIST(X)
#undef X
		DROP__COUNT
};

/* "none" for DROP_NONE; the list's name and sentence for the others; "?" for a number that is none
 * of them. */
const char *drop_name(enum drop d);
const char *drop_text(enum drop d);

#endif
