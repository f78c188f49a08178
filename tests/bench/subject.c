#include "tests/bench/subject.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/die.h"

/* For the ways out of the program. */
enum { HELD_MAX = 8 };
static pid_t held[HELD_MAX];
static unsigned held_count;

static void let_go(void)
{
	for (unsigned i = 0; i < held_count; i++)
		(void)kill(held[i], SIGCONT);
}

static void interrupted(int number)
{
	let_go();
	_exit(128 + number);
}

static int open_task(pid_t pid, long tid, const char *file)
{
	char path[80];

	snprintf(path, sizeof(path), "/proc/%d/task/%ld/%s", (int)pid, tid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die_errno(path);
	return fd;
}

void subject_open(struct subject *s, pid_t pid, const char *threads)
{
	*s = (struct subject){ .pid = pid };
	for (const char *p = threads; *p && s->threads < SUBJECT_THREADS; p += *p == ',') {
		char *end;
		long tid = strtol(p, &end, 10);
		s->stat[s->threads] = open_task(pid, tid, "stat");
		s->schedstat[s->threads++] = open_task(pid, tid, "schedstat");
		if (end == p)
			die("%s: thread ids are numbers with commas between", threads);
		p = end;
	}
	if (held_count == HELD_MAX)
		die("too many processes under measurement");
	held[held_count++] = pid;
	atexit(let_go);
	signal(SIGINT, interrupted);
	signal(SIGTERM, interrupted);
}

/* The letter behind the command's name, which may hold anything but ends at the last parenthesis.
 */
static char state_of(int stat)
{
	char text[512];
	ssize_t len = pread(stat, text, sizeof(text) - 1, 0);

	if (len <= 0)
		die("the process under measurement has ended");
	text[len] = '\0';
	const char *end = strrchr(text, ')');
	return end ? end[2] : '?';
}

static void await_state(const struct subject *s, char wanted)
{
	static const struct timespec pause = { .tv_nsec = 100000 };

	for (unsigned i = 0; i < s->threads; i++)
		for (unsigned n = 0; state_of(s->stat[i]) != wanted; n++) {
			if (n > 50000)
				die("a thread does not become '%c'", wanted);
			nanosleep(&pause, NULL);
		}
}

void subject_hold(const struct subject *s)
{
	if (kill(s->pid, SIGSTOP) != 0)
		die_errno("the process cannot be held");
	await_state(s, 'T');
}

void subject_release(const struct subject *s)
{
	if (kill(s->pid, SIGCONT) != 0)
		die_errno("the process cannot be released");
}

void subject_await_sleep(const struct subject *s)
{
	await_state(s, 'S');
}

uint64_t subject_time(const struct subject *s, unsigned i)
{
	char text[128];
	ssize_t len = pread(s->schedstat[i], text, sizeof(text) - 1, 0);

	if (len <= 0)
		die("the process under measurement has ended");
	text[len] = '\0';
	return strtoull(text, NULL, 10);
}
