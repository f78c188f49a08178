/*
 * Every reason for which the data path drops a packet, in one list: the enum, the names in popctl,
 * metrics and database, the counters, the sentences, and the test that some packet reaches each
 * reason all come from it. DROP_NONE (0) means that the packet passes.
 *
 * X(enumerator, name, detail, sentence for the user or the operator)
 *
 * `detail` names what is kept of a dropped packet to make its sentence specific (drop_detail.c).
 */
#ifndef POPD_CORE_DROP_H
#define POPD_CORE_DROP_H

#define DROP_LIST(X)                                                                              \
	/* outer packet */                                                                        \
	X(OUTER_SHORT, "outer-short", length, "the packet is too short to contain its headers")   \
	X(OUTER_MARTIAN, "outer-martian", peer,                                                   \
	  "the outer IPv4 source address cannot be a tunnel endpoint")                            \
	X(OUTER_POP, "outer-pop", peer_pop,                                                       \
	  "the outer IPv4 source address is that of a PoP, at which no tunnel ends")              \
	/* AYIYA */                                                                               \
	X(AYIYA_FORM, "ayiya-form", first_bytes,                                                  \
	  "not a valid AYIYA header (16-byte identity, shared-secret signature)")                 \
	X(AYIYA_UNSIGNED, "ayiya-unsigned", none, "the packet is not signed")                     \
	X(AYIYA_METHOD, "ayiya-method", method, "signed by a method that is not supported")       \
	X(AYIYA_OPCODE, "ayiya-opcode", opcode, "the AYIYA opcode is not supported")              \
	X(AYIYA_NEXT_HEADER, "ayiya-next-header", next_header,                                    \
	  "the AYIYA payload is neither IPv6 nor empty")                                          \
	X(AYIYA_TRAILING, "ayiya-trailing", trailing,                                             \
	  "bytes follow the AYIYA payload, which anybody can append to a signed packet")          \
	X(AYIYA_SIGNATURE, "ayiya-signature", none,                                               \
	  "the signature is wrong: the client uses another tunnel password")                      \
	/* heartbeat */                                                                           \
	X(BEAT_FORM, "beat-form", length, "the packet is not a valid heartbeat")                  \
	X(BEAT_ADDRESS, "beat-address", beat_address,                                             \
	  "the heartbeat names another IPv4 address than the one it came from")                   \
	X(BEAT_SIGNATURE, "beat-signature", none,                                                 \
	  "the heartbeat's signature is wrong: the client uses another tunnel password")          \
	/* signed by nobody we know; the tunnel's own client is told by the reasons above */      \
	X(FORGED, "forged", identity_named,                                                       \
	  "the signature is wrong, and the packet does not come from the tunnel's endpoint")      \
	X(SECRET_UNKNOWN, "secret-unknown", stranger,                                             \
	  "somebody (popctl says at which address) does not know this tunnel's secret")           \
	/* the tunnel, and the age of the packet */                                               \
	X(TUNNEL_UNKNOWN, "tunnel-unknown", identity,                                             \
	  "no tunnel on this PoP has the client address that the packet names")                   \
	X(TUNNEL_DELETED, "tunnel-deleted", identity_named,                                       \
	  "protocol 41 from the endpoint of a tunnel that was deleted less than a day ago")       \
	X(TUNNEL_TYPE, "tunnel-type", type, "the tunnel is of another type than the packet")      \
	X(TUNNEL_DISABLED, "tunnel-disabled", none, "the tunnel is disabled")                     \
	X(TUNNEL_DOWN, "tunnel-down", heard,                                                      \
	  "the tunnel is down: its client has not sent a valid packet recently")                  \
	X(CLOCK_SKEW, "clock-skew", skew,                                                         \
	  "the client's clock differs from ours by more than 120 s")                              \
	X(REPLAY_STALE, "replay-stale", stale,                                                    \
	  "the packet is more than 5 s older than the tunnel's newest packet")                    \
	X(REPLAY_MOVE, "replay-move", move,                                                       \
	  "from another address, but not newer than the tunnel's newest packet: a replay")        \
	X(ENDPOINT_MISMATCH, "endpoint-mismatch", mismatch,                                       \
	  "protocol 41 from an IPv4 address that is not the tunnel's endpoint")                   \
	/* ICMPv4 errors about packets that we sent */                                            \
	X(OUTER_UNREACHABLE, "outer-unreachable", icmp_error,                                     \
	  "a router or the client's host reports that our packets are undeliverable")             \
	X(OUTER_TIME_EXCEEDED, "outer-time-exceeded", icmp_error,                                 \
	  "a router reports a routing loop, or the client's host that fragments are missing")     \
	X(OUTER_PARAMETER, "outer-parameter-problem", icmp_error,                                 \
	  "a router or the client's host rejects the IPv4 header of our packets")                 \
	X(OUTER_TOO_BIG, "outer-too-big", path_mtu,                                               \
	  "our packets are larger than the MTU of the IPv4 path to the client")                   \
	X(ICMP4_UNVERIFIED, "icmp4-unverified", none,                                             \
	  "an ICMPv4 error that quotes no packet that this PoP sends to a tunnel")                \
	/* inner packet */                                                                        \
	X(INNER_SHORT, "inner-short", inner_length,                                               \
	  "the inner packet is shorter than its IPv6 header says")                                \
	X(INNER_VERSION, "inner-version", inner_version, "the inner packet is not IPv6")          \
	X(INNER_MERGED, "inner-merged", length,                                                   \
	  "the sender's host merged several packets into one, which cannot be cut again")         \
	X(INNER_MARTIAN_SOURCE, "inner-martian-source", source,                                   \
	  "the inner source address is not a routable unicast address")                           \
	X(INNER_MARTIAN_DEST, "inner-martian-dest", destination,                                  \
	  "the inner destination address cannot be routed")                                       \
	X(INNER_MULTICAST, "inner-multicast", destination,                                        \
	  "the inner destination is multicast, which tunnels do not carry")                       \
	X(LINK_LOCAL, "link-local", link_local,                                                   \
	  "link-local traffic of the client itself, which is normal")                             \
	X(SPOOFED_FROM_TUNNEL, "spoofed-from-tunnel", source,                                     \
	  "the inner source address is not in the tunnel's prefixes")                             \
	X(SPOOFED_FROM_UPLINK, "spoofed-from-uplink", source,                                     \
	  "came from the uplink with a source address in this PoP's own prefixes")                \
	X(SAME_TUNNEL, "same-tunnel", destination,                                                \
	  "the packet would go back into the tunnel that it came from")                           \
	X(TUNNEL_LOOP, "tunnel-loop", loop,                                                       \
	  "an inner address embeds this PoP's IPv4 address, which would cause a loop (RFC 6324)") \
	X(HOP_LIMIT, "hop-limit", destination, "the hop limit ran out")                           \
	X(TOO_BIG, "too-big", too_big, "the packet is larger than the tunnel's MTU")              \
	X(NO_SUCH_TUNNEL, "no-such-tunnel", destination,                                          \
	  "the destination is in this PoP's prefixes, but no tunnel has it")                      \
	X(TUNNEL_NET_HOST, "tunnel-net-host", destination,                                        \
	  "the tunnel's own /64 has no other addresses than ::1 and ::2")                         \
	X(NOT_FOR_POP, "not-for-pop", service, "the PoP's own address offers no such service")    \
	X(POP_UNUSED, "pop-unused", service,                                                      \
	  "a packet to the PoP's own address that needs no answer")                               \
	X(ECN_INVALID, "ecn-invalid", none,                                                       \
	  "the outer header has a congestion mark, the inner packet does not use ECN (RFC 6040)") \
	/* our own limits */                                                                      \
	X(NO_ENDPOINT, "no-endpoint", none, "the tunnel has no endpoint to send to")              \
	X(TUN_REFUSED, "tun-refused", error, "the kernel did not accept the packet on the TUN")   \
	X(SEND_REFUSED, "send-refused", error, "the kernel did not send the outer packet")        \
	X(INTERNAL, "internal", none, "an internal error of popd")

enum drop {
	DROP_NONE,
#define X(e, name, detail, text) DROP_##e,
	DROP_LIST(X)
#undef X
		DROP__COUNT
};

/* "none" for DROP_NONE; the list's name and sentence for the others; "?" for any other number. */
const char *drop_name(enum drop d);
const char *drop_text(enum drop d);

#endif
