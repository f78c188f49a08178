/*
 * Whether this PoP can carry packets, from facts of its host. What is not popd's own and is wrong
 * makes the PoP unfit, a reason each; a warning does not. A route or carrier counts as lost only
 * when it was there before: a laboratory, a machine with IPv4 only and a router with a full table and
 * no default route are fit. Pure.
 */
#ifndef POPD_OBSERVE_FITNESS_H
#define POPD_OBSERVE_FITNESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "lib/ip.h"

/* X(enumerator, name (public: a metric's label), is it a reason (else a warning)) */
#define FITNESS_LIST(X)                       \
	X(TUN, "tun", true)                   \
	X(ROUTES, "routes", true)             \
	X(FORWARDING, "forwarding", true)     \
	X(IPV4, "ipv4", true)                 \
	X(DEFAULT_IPV4, "default-ipv4", true) \
	X(DEFAULT_IPV6, "default-ipv6", true) \
	X(CARRIER, "carrier", true)           \
	X(PROTOCOL41, "protocol41", true)     \
	X(CLOCK, "clock", true)               \
	X(SECOND_POPD, "second-popd", true)   \
	X(WORKER, "worker", true)             \
	X(RP_FILTER, "rp-filter", false)      \
	X(UNSYNCHRONISED, "unsynchronised", false)

enum fitness_item {
#define X(e, name, unfit) FITNESS_##e,
	FITNESS_LIST(X)
#undef X
		FITNESS__COUNT
};

enum { FITNESS_TEXT = 300, FITNESS_CLOCK_MAX = 120 /* seconds from the database's clock */ };

struct fitness_facts {
	const char *tun;                 /* its name */
	bool tun_well;                   /* up, as popd wants it; false: others undo it too often */
	bool routes_well;                /* the same of popd's routes */
	bool forwards;                   /* IPv6 */
	struct ip4 ipv4;                 /* the PoP's, */
	bool has_ipv4;                   /* which is this host's */
	bool default_ipv4, default_ipv6; /* there is a default route */
	bool carrier;                    /* an interface of such a route has a carrier */
	/* what has protocol 41 beside popd, a part of a sentence; "": nothing */
	const char *protocol41;
	bool clock_synchronised;  /* as the kernel says */
	bool clock_known;         /* the database has answered: */
	int64_t clock_offset;     /* our clock minus its, in seconds */
	unsigned queues, workers; /* of the TUN, by whomever; of popd */
	uint32_t stalled_s;       /* of the worker that has stood still the longest; 0: none */
	bool strict_rp_filter;    /* for IPv4 */
};

/* Zeroed at first. */
struct fitness {
	bool had_ipv4_default, had_ipv6_default, had_carrier;
	uint32_t wrong;                          /* bits 1 << enum fitness_item */
	char text[FITNESS__COUNT][FITNESS_TEXT]; /* the sentence of each that is wrong */
};

/* Judges the facts. Returns the bits that have changed. */
uint32_t fitness_judge(struct fitness *f, const struct fitness_facts *facts) NONNULL;
/* The bits of `wrong` that are reasons. */
uint32_t fitness_reasons(const struct fitness *f) NONNULL;

const char *fitness_name(enum fitness_item i);
bool fitness_is_reason(enum fitness_item i);

/* ---- what is popd's own and is put back ---- */

enum { GUARD_BURST = 5, GUARD_WINDOW_MS = 60000, GUARD_WAIT_MAX_S = 64 };

/* Of one thing that others may undo. Zeroed at first. */
struct guard {
	mono_t at[GUARD_BURST]; /* of the last repairs */
	unsigned next;
	uint32_t wait_s;
	mono_t until;
	bool told;
};

enum guard_verdict {
	GUARD_REPAIR,
	GUARD_REPAIR_AND_TELL, /* and say once that it is undone too often */
	GUARD_REPAIR_SILENTLY, /* it was said */
	GUARD_WAIT,
};
/* It is undone now. More than five times in a minute: popd waits longer each time. */
enum guard_verdict guard_ask(struct guard *g, mono_t now) NONNULL;

#endif
