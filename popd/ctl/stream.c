#include "popd/ctl/stream.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { LINE_LONGEST = 1 << 20 };

static volatile sig_atomic_t stopped;

struct stream {
	int fd;
	sigset_t before; /* the mask to wait with */
	char *buffer;    /* LINE_LONGEST bytes */
	size_t at, end;  /* what has arrived and was not yet given away */
};

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* The signals come while we wait, and at no other time: none is missed between looking and waiting.
 */
static void catch_signals(struct stream *s)
{
	struct sigaction action = { .sa_handler = stop };
	sigset_t both;

	sigemptyset(&both);
	sigaddset(&both, SIGINT);
	sigaddset(&both, SIGTERM);
	sigprocmask(SIG_BLOCK, &both, &s->before);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

struct stream *stream_open(int fd)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s || !(s->buffer = malloc(LINE_LONGEST))) {
		free(s);
		return NULL;
	}
	s->fd = fd;
	catch_signals(s);
	return s;
}

void stream_close(struct stream *s)
{
	if (!s)
		return;
	free(s->buffer);
	free(s);
}

static char *newline(const struct stream *s)
{
	return memchr(s->buffer + s->at, '\n', s->end - s->at);
}

bool stream_has_line(const struct stream *s)
{
	return newline(s) != NULL;
}

/* true: more has come. */
static bool receive(struct stream *s, char why[static STREAM_WHY])
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	memmove(s->buffer, s->buffer + s->at, s->end - s->at);
	s->end -= s->at;
	s->at = 0;
	if (s->end == LINE_LONGEST) {
		snprintf(why, STREAM_WHY, "popd sent a line that is too long");
		return false;
	}
	while (!stopped && ppoll(&p, 1, NULL, &s->before) < 0 && errno == EINTR)
		;
	if (stopped)
		return false;
	ssize_t n = recv(s->fd, s->buffer + s->end, LINE_LONGEST - s->end, 0);
	if (n <= 0) {
		snprintf(why, STREAM_WHY, "popd has closed the connection%s%s", n < 0 ? ": " : "",
			 n < 0 ? strerror(errno) : "");
		return false;
	}
	s->end += (size_t)n;
	return true;
}

char *stream_line(struct stream *s, char why[static STREAM_WHY])
{
	char *end;

	why[0] = '\0';
	while (!(end = newline(s)))
		if (!receive(s, why))
			return NULL;
	char *line = s->buffer + s->at;
	*end = '\0';
	s->at = (size_t)(end - s->buffer) + 1;
	return line;
}
