/* The program under measurement, seen from outside: held still while its queues are filled, let go,
 * and the processor time of its forwarding threads read in nanoseconds. */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { SUBJECT_THREADS = 64 };

struct subject {
	pid_t pid;
	unsigned threads;
	int stat[SUBJECT_THREADS], schedstat[SUBJECT_THREADS]; /* of /proc/<pid>/task/<tid>/ */
};

/* `threads`: the thread ids, with commas between. From then on the process is let go again however
 * we end. */
void subject_open(struct subject *s, pid_t pid, const char *threads);
/* Returns when no thread runs any more. */
void subject_hold(const struct subject *s);
void subject_release(const struct subject *s);
/* Waits until all its forwarding threads sleep: then their times are complete. */
void subject_await_sleep(const struct subject *s);
/* Nanoseconds that thread `i` has run, its share of the kernel's work included. */
uint64_t subject_time(const struct subject *s, unsigned i);

#endif
