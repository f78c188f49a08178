/*
 * A program under measurement between its two links. A round: it is held still, packets are sent
 * until its queue holds `fill` of them, it is let go, and the processor time that its forwarding
 * threads take until all have come out on the other side is divided by their number. What is
 * measured is therefore the whole of its work with full batches, its share of the kernel's included
 * (system calls, and forwarding up to the sink's device, which drops the packet unseen), without
 * the kernel's receive side before its queue. In a `whole` lane that counts, too: it is in our own
 * time, since the kernel does it before our send returns, and with it all that forwards a packet
 * before the program sees it.
 */
#ifndef BENCH_LANE_H
#define BENCH_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/bench/check.h"
#include "tests/bench/link.h"
#include "tests/bench/packet.h"
#include "tests/bench/subject.h"

enum { LANE_ROUNDS = 4096, LANE_CPUS = 2 };

/* Nanoseconds a packet: of all threads, of the one that took longest, on the clock. */
struct round {
	double each, busiest, wall;
};

struct lane {
	struct subject subject;
	struct link from, to;
	const struct packet_set *set;
	uint32_t fill, next; /* packets a round; the frame to begin with */
	/* our own time to send a packet counts, as if the program's threads had spent it */
	bool whole;
	int watch_cpu, fill_cpus[LANE_CPUS];
	unsigned fill_cpu_count;
	double offered, delivered; /* of all rounds */
	struct round rounds[LANE_ROUNDS];
	size_t round_count;
};

/* Opens what `lane` needs besides what is filled in already: set, fill, processors, subject. */
void lane_open(struct lane *l, const char *gen, const char *sink);
/* A round that is looked at instead of measured: every packet must come out once, in order, and
 * right. Gives the number of packets sent; what came out is in `c`. */
uint32_t lane_prove(struct lane *l, struct check *c);
/* Rounds until every packet of the set has been through once, so that what popd touches for the
 * first time is not measured. */
void lane_warm(struct lane *l);
/* Measures one round. False: not all came out. */
bool lane_run(struct lane *l);

#endif
