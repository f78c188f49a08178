#include "tests/bench/lane.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/die.h"

static const int64_t stall_ns = 1000000000; /* after so long without a packet no more will come */

static int64_t time_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int64_t now_ns(void)
{
	return time_ns(CLOCK_MONOTONIC);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die_errno("the processor cannot be chosen");
}

/* Long enough not to disturb a worker on the same processor; only the elapsed time gets coarser. */
static void wait_a_little(void)
{
	static const struct timespec pause = { .tv_nsec = 500000 };

	nanosleep(&pause, NULL);
}

void lane_open(struct lane *l, const char *gen, const char *sink)
{
	bool decap = packet_is_decap(l->set->plan.path);

	link_open(&l->from, decap ? gen : sink, decap ? "g0" : "s0");
	link_open(&l->to, decap ? sink : gen, decap ? "s0" : "g0");
}

/* Sends `n` frames, an equal part from each of the processors. */
static void fill_queues(struct lane *l, uint32_t n)
{
	for (unsigned i = 0; i < l->fill_cpu_count; i++) {
		uint32_t part = n / l->fill_cpu_count + (i < n % l->fill_cpu_count);
		run_on(l->fill_cpus[i]);
		link_send(&l->from, l->set, l->next, part);
		l->next = (l->next + part) % l->set->frames_used;
	}
	run_on(l->watch_cpu);
}

uint32_t lane_prove(struct lane *l, struct check *c)
{
	static uint8_t frame[LINK_FRAME_MAX];
	uint32_t each = l->set->frames[0].count, frames = l->fill / each;
	struct virtio_net_hdr vnet;

	if (frames > l->set->frames_used)
		frames = l->set->frames_used;
	check_begin(c, l->set);
	subject_hold(&l->subject);
	int watch = link_watch(&l->to);
	fill_queues(l, frames);
	subject_release(&l->subject);
	for (int64_t last = now_ns(); c->good < frames * each && now_ns() - last < stall_ns;) {
		size_t len = link_next(watch, &vnet, frame);
		if (len == 0) {
			wait_a_little();
			continue;
		}
		last = now_ns();
		check_frame(c, &vnet, frame, len);
	}
	close(watch);
	check_end(c);
	subject_await_sleep(&l->subject);
	return frames * each;
}

/* How many of `offered` packets come out; the clock's time of the last into `end`. */
static double await_packets(struct lane *l, double offered, struct link_count before, int64_t *end)
{
	int64_t last = now_ns();
	double had = 0;

	while (had < offered - 0.5 && now_ns() - last < stall_ns) {
		struct link_count c = link_received(&l->to);
		double has = packet_count(&l->set->plan, c.skbs - before.skbs,
					  c.bytes - before.bytes);
		if (has > had)
			last = now_ns();
		had = has;
		wait_a_little();
	}
	*end = last;
	return had < offered ? had : offered;
}

bool lane_run(struct lane *l)
{
	uint64_t before[SUBJECT_THREADS], all = 0, most = 0;
	uint32_t each = l->set->frames[0].count, frames = (l->fill + each - 1) / each;
	double offered = (double)frames * each;
	int64_t end;

	subject_hold(&l->subject);
	struct link_count count = link_received(&l->to);
	int64_t filling = time_ns(CLOCK_THREAD_CPUTIME_ID);
	fill_queues(l, frames);
	if (l->whole)
		all = most = (uint64_t)(time_ns(CLOCK_THREAD_CPUTIME_ID) - filling);
	for (unsigned i = 0; i < l->subject.threads; i++)
		before[i] = subject_time(&l->subject, i);
	int64_t start = now_ns();
	subject_release(&l->subject);
	double delivered = await_packets(l, offered, count, &end);
	subject_await_sleep(&l->subject);
	for (unsigned i = 0; i < l->subject.threads; i++) {
		uint64_t took = subject_time(&l->subject, i) - before[i];
		all += took;
		if (took > most)
			most = took;
	}
	l->offered += offered;
	l->delivered += delivered;
	if (delivered > 0 && l->round_count < LANE_ROUNDS)
		l->rounds[l->round_count++] = (struct round){ (double)all / delivered,
							      (double)most / delivered,
							      (double)(end - start) / delivered };
	return delivered > offered * 0.99;
}

void lane_warm(struct lane *l)
{
	for (uint32_t sent = 0; sent < l->set->packets && lane_run(l); sent += l->fill)
		;
	l->round_count = 0;
}
