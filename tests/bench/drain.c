/*
 * One row of the bench: rounds (lane.h) of popd and of the reference in turns, with the same
 * packets, as many as fit into the time. Both meet the same load of the machine, so their ratio
 * means something where their times alone do not. Before the first comes a round that proves that
 * popd delivers every packet once, in order, and right, and some that are not measured.
 *
 * The answer on standard output is JSON. Every option has a value, and all must be given: bench.py
 * is the only caller.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "tests/bench/die.h"
#include "tests/bench/lane.h"

/* SECONDS_MAX: AYIYA's window of 120 s; later the packets would be too old. */
enum { ROUNDS_MIN = 8, LOSSY_MAX = 3, SECONDS_MAX = 60 };

enum option {
	PATH,
	INNER,
	RUN,
	MERGED,
	PUSH,
	TUNNELS,
	ACTIVE,
	FIRST,
	FLOWS,
	FILL,
	WHOLE,
	SECONDS,
	WATCH_CPU,
	FILL_CPUS,
	PID,
	THREADS,
	GEN,
	SINK,
	REFERENCE_FILL,
	REFERENCE_PID,
	REFERENCE_GEN,
	REFERENCE_SINK,
	OPTION__COUNT
};

static const char *const option_names[OPTION__COUNT] = {
	[PATH] = "path",
	[INNER] = "inner",
	[RUN] = "run",
	[MERGED] = "merged",
	[PUSH] = "push",
	[TUNNELS] = "tunnels",
	[ACTIVE] = "active",
	[FIRST] = "first",
	[FLOWS] = "flows",
	[FILL] = "fill",
	[WHOLE] = "whole",
	[SECONDS] = "seconds",
	[WATCH_CPU] = "watch-cpu",
	[FILL_CPUS] = "fill-cpus",
	[PID] = "pid",
	[THREADS] = "threads",
	[GEN] = "gen",
	[SINK] = "sink",
	[REFERENCE_FILL] = "reference-fill",
	[REFERENCE_PID] = "reference-pid",
	[REFERENCE_GEN] = "reference-gen",
	[REFERENCE_SINK] = "reference-sink",
};

static const char *const path_names[PATH__COUNT] = {
	[PATH_AYIYA_DECAP] = "ayiya-decap",
	[PATH_AYIYA_ENCAP] = "ayiya-encap",
	[PATH_PROTO41_DECAP] = "proto41-decap",
	[PATH_PROTO41_ENCAP] = "proto41-encap",
};

static void parse(int argc, char **argv, const char *value[static OPTION__COUNT])
{
	for (int i = 1; i + 1 < argc; i += 2)
		for (unsigned o = 0; o < OPTION__COUNT; o++)
			if (strncmp(argv[i], "--", 2) == 0 &&
			    strcmp(argv[i] + 2, option_names[o]) == 0)
				value[o] = argv[i + 1];
	for (unsigned o = 0; o < OPTION__COUNT; o++)
		if (!value[o])
			die("--%s is missing", option_names[o]);
}

static uint32_t number(const char *text)
{
	return (uint32_t)strtoul(text, NULL, 10);
}

static enum path path_of(const char *name)
{
	for (unsigned i = 0; i < PATH__COUNT; i++)
		if (strcmp(path_names[i], name) == 0)
			return (enum path)i;
	die("%s: no such path", name);
}

static struct packet_plan plan_of(const char *const value[static OPTION__COUNT])
{
	return (struct packet_plan){
		.path = path_of(value[PATH]),
		.inner = number(value[INNER]),
		.run = number(value[RUN]),
		.merged = number(value[MERGED]),
		.push = number(value[PUSH]),
		.tunnels = number(value[TUNNELS]),
		.active = number(value[ACTIVE]),
		.first = number(value[FIRST]),
		.flows = number(value[FLOWS]),
	};
}

static void prepare(struct lane *popd, struct lane *reference, const struct packet_set *set,
		    const char *const value[static OPTION__COUNT])
{
	const char *second_cpu = strchr(value[FILL_CPUS], ',');

	popd->set = reference->set = set;
	popd->watch_cpu = reference->watch_cpu = (int)number(value[WATCH_CPU]);
	popd->fill_cpus[0] = reference->fill_cpus[0] = (int)number(value[FILL_CPUS]);
	popd->fill_cpus[1] = second_cpu ? (int)number(second_cpu + 1) : 0;
	popd->fill_cpu_count = second_cpu ? 2 : 1;
	reference->fill_cpu_count = 1;
	popd->fill = number(value[FILL]);
	popd->whole = reference->whole = number(value[WHOLE]) != 0;
	reference->fill = number(value[REFERENCE_FILL]);
	lane_open(popd, value[GEN], value[SINK]);
	lane_open(reference, value[REFERENCE_GEN], value[REFERENCE_SINK]);
	subject_open(&popd->subject, (pid_t)number(value[PID]), value[THREADS]);
	subject_open(&reference->subject, (pid_t)number(value[REFERENCE_PID]),
		     value[REFERENCE_PID]);
}

/* ---- the answer ---- */

static int by_size(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* The values at one tenth, the half and nine tenths of the sorted field of all rounds. */
static void print_spread(const struct lane *l, const char *name, size_t offset)
{
	static double values[LANE_ROUNDS];
	size_t n = l->round_count;

	for (size_t i = 0; i < n; i++)
		memcpy(&values[i], (const char *)&l->rounds[i] + offset, sizeof(values[i]));
	qsort(values, n, sizeof(values[0]), by_size);
	printf("\"%s\": [%.1f, %.1f, %.1f], ", name, n ? values[n / 10] : 0, n ? values[n / 2] : 0,
	       n ? values[n - 1 - n / 10] : 0);
}

static void print_lane(const struct lane *l, const char *name)
{
	printf("\"%s\": {", name);
	print_spread(l, "each", offsetof(struct round, each));
	print_spread(l, "busiest", offsetof(struct round, busiest));
	print_spread(l, "wall", offsetof(struct round, wall));
	printf("\"rounds\": %zu, \"offered\": %.0f, \"delivered\": %.1f}, ", l->round_count,
	       l->offered, l->delivered);
}

static void print_proof(const struct check *c, uint32_t offered)
{
	printf("\"proof\": {\"offered\": %u, \"good\": %u, \"wrong\": %u, ", offered, c->good,
	       c->wrong);
	printf("\"twice\": %u, \"misplaced\": %u, \"why\": \"%s\"}", c->twice, c->misplaced,
	       c->why ? c->why : "");
}

static double seconds_since(const struct timespec *begun)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - begun->tv_sec) + (double)(now.tv_nsec - begun->tv_nsec) / 1e9;
}

static void measure(struct lane *popd, struct lane *reference, double seconds)
{
	struct timespec begun;
	unsigned lossy = 0;

	lane_warm(popd);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	for (unsigned i = 0;
	     seconds_since(&begun) < (i < ROUNDS_MIN ? SECONDS_MAX : seconds) && lossy < LOSSY_MAX;
	     i++) {
		lossy += !lane_run(popd);
		lossy += !lane_run(reference);
	}
}

int main(int argc, char **argv)
{
	static struct lane popd, reference;
	const char *value[OPTION__COUNT] = { NULL };
	struct packet_set set;
	struct check proof;

	parse(argc, argv, value);
	struct packet_plan plan = plan_of(value);
	(void)prctl(PR_SET_TIMERSLACK, 1000UL);
	packet_set_make(&set, &plan, (uint32_t)time(NULL));
	prepare(&popd, &reference, &set, value);
	uint32_t proved = lane_prove(&popd, &proof);
	measure(&popd, &reference, strtod(value[SECONDS], NULL));
	printf("{");
	print_lane(&popd, "popd");
	print_lane(&reference, "reference");
	print_proof(&proof, proved);
	printf("}\n");
	packet_set_free(&set);
	return 0;
}
