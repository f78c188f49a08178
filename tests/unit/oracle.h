/*
 * What a PoP must do with a packet, written a second time: plainly, slowly, from the rules alone,
 * with nothing of popd but the names of the reasons. Prefixes are compared bit by bit, tables
 * searched from end to end, checksums added byte by byte. test_popd_forward.c compares the two.
 */
#ifndef TESTS_UNIT_ORACLE_H
#define TESTS_UNIT_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "popd/core/drop.h"

enum { ORACLE_PACKET = 4096, ORACLE_TUNNELS = 16, ORACLE_ROUTES = 4 };
enum oracle_type { ORACLE_AYIYA, ORACLE_HEARTBEAT, ORACLE_STATIC };

struct oracle_prefix {
	uint8_t bits[16];
	unsigned len;
};

struct oracle_tunnel {
	uint32_t id;
	enum oracle_type type;
	bool enabled;
	unsigned mtu;
	unsigned path_mtu; /* 0: unknown */
	long path_since;   /* when it was learnt, in seconds */
	uint8_t net[16];
	uint32_t address; /* of the endpoint; 0: none */
	uint16_t port;
	bool sha256;
	bool heard; /* a valid packet has come recently */
	/* when a packet that anybody can send was last counted for it; 0: never */
	long long noted_us;
	size_t route_count;
	struct oracle_prefix routes[ORACLE_ROUTES];
};

struct oracle_world {
	uint8_t ipv4[4];
	long now;
	long long now_us; /* of a clock that never stands at 0 */
	unsigned ayiya_port;
	int dscp; /* -1: as the inner packet's */
	struct oracle_prefix tunnel_prefix, subnet_prefix;
	size_t count;
	struct oracle_tunnel tunnels[ORACLE_TUNNELS];
};

struct oracle_answer {
	enum drop drop;
	uint32_t charged; /* T-id that the drop is counted for; 0: none */
	int where;        /* -2: nothing is sent; -1: to the TUN; else into tunnels[where] */
	bool by_endpoint; /* an ICMPv4 error about the tunnels that have the endpoint it names */
	size_t len;
	uint8_t packet[ORACLE_PACKET];
};

/* An inner packet from tunnels[from], or (-1) from the uplink. `p` is changed by the outer
 * congestion mark, as the inner packet is. */
void oracle_forward(const struct oracle_world *w, int from, uint8_t *p, size_t have,
		    unsigned outer_mark, struct oracle_answer *a);
/* The payload of an authentic AYIYA packet that is no replay. */
void oracle_ayiya(const struct oracle_world *w, int from, uint8_t *p, size_t have,
		  unsigned outer_mark, struct oracle_answer *a);
/* A packet from a raw protocol-41 socket, whose tunnel is to be found first. */
void oracle_protocol41(struct oracle_world *w, uint32_t outer_source, uint8_t *p, size_t have,
		       unsigned outer_mark, bool merged, struct oracle_answer *a);
/* An ICMPv4 message from `router`. */
void oracle_icmp4(struct oracle_world *w, uint32_t router, const uint8_t *m, size_t len,
		  struct oracle_answer *a);

/* ---- which packets are accepted, and where the endpoint goes (oracle_roam.c) ---- */

/* One tunnel and its whole past. */
struct oracle_tenure {
	uint64_t place; /* address << 32 | port << 16 */
	long began, left;
	bool answered;
};
enum { ORACLE_TENURES = 256 };
struct oracle_roam {
	/* in */
	bool ayiya;     /* else heartbeat */
	uint32_t start; /* popd's */
	/* after each packet */
	uint64_t endpoint; /* the word, of which only the place counts; 0: none */
	bool answered;
	uint32_t newest, highest;
	int asked; /* by which rule: 2 for one that moved; 3 for one that was refused; else 0 */
	bool two_clients; /* to be told now */
	/* its own */
	struct oracle_tenure past[ORACLE_TENURES];
	size_t past_count;
	long began, told;
};

/* An authentic packet of `epoch` from the word `from`. `answers`: it holds an answer that was asked
 * of exactly that address. */
enum drop oracle_roam_packet(struct oracle_roam *o, uint64_t from, long epoch, long now,
			     bool answers);

/* ---- their parts ---- */

/* The tunnel with the longest prefix around the address; -1: none. */
int oracle_find(const struct oracle_world *w, const uint8_t *address, bool *own_net);
bool oracle_is_host(const uint8_t *address, const uint8_t *net, uint8_t host);
/* The ICMPv6 checksum of a packet without extension headers; 0: the one that it holds is right. */
unsigned oracle_checksum(const uint8_t *packet, size_t len);
unsigned oracle_path_mtu(const struct oracle_world *w, const struct oracle_tunnel *t);
unsigned oracle_mtu(const struct oracle_world *w, const struct oracle_tunnel *t);
/* The outer traffic class for the inner packet. */
unsigned oracle_class(const struct oracle_world *w, const uint8_t *packet);

/* The reason that the ICMPv4 message `m` counts under for the tunnel that it is about. */
enum drop oracle_icmp4_reason(const uint8_t *m);
/* True when our packets to `t` go where the quoted packet went. */
bool oracle_icmp4_is_about(const struct oracle_tunnel *t, const uint8_t *quoted);
void oracle_icmp4_apply(const struct oracle_world *w, struct oracle_tunnel *t, const uint8_t *m);

#endif
