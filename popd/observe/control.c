#include "popd/observe/control.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/io/acceptor.h"
#include "lib/log.h"

/* Seconds without a request, or without reading the answer. */
static const double idle_timeout = 60.;

struct client {
	struct control *control;
	int fd; /* -1: free */
	struct ev_io io;
	struct ev_timer idle;
	bool waiting;
	char line[CONTROL_LINE];
	size_t line_len;
	char *answer; /* being written, malloc'ed */
	size_t answer_len, written;
	/* of a client that follows: CONTROL_BACKLOG bytes, lines not yet written; else NULL */
	char *backlog;
	size_t backlog_len;
};

struct control {
	struct ev_loop *loop;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int fd;
	struct acceptor acceptor;
	control_handler *handler;
	control_leaver *left;
	void *ctx;
	struct client clients[CONTROL_CLIENTS];
};

static unsigned number_of(const struct client *c)
{
	return (unsigned)(c - c->control->clients);
}

static void client_close(struct client *c)
{
	ev_io_stop(c->control->loop, &c->io);
	ev_timer_stop(c->control->loop, &c->idle);
	close(c->fd);
	free(c->answer);
	c->answer = NULL;
	c->fd = -1;
	c->waiting = false;
	free(c->backlog);
	c->backlog = NULL;
	c->control->left(c->control->ctx, number_of(c));
}

/* Waits to read from or to write to a client that does not follow, never both. */
static void client_watch(struct client *c, int events)
{
	ev_io_stop(c->control->loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(c->control->loop, &c->io);
	ev_timer_again(c->control->loop, &c->idle);
}

/* Writes what the socket takes; true: that was all. */
static bool client_flush(struct client *c)
{
	while (c->written < c->answer_len) {
		ssize_t n = send(c->fd, c->answer + c->written, c->answer_len - c->written,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			client_watch(c, EV_WRITE);
			return false;
		}
		if (n < 0) {
			client_close(c);
			return false;
		}
		c->written += (size_t)n;
	}
	free(c->answer);
	c->answer = NULL;
	return true;
}

/* Takes `answer`, whose NUL becomes a newline; true: all is written. */
static bool client_answer(struct client *c, char *answer)
{
	c->answer = answer;
	c->answer_len = strlen(answer) + 1;
	c->written = 0;
	answer[c->answer_len - 1] = '\n';
	return client_flush(c);
}

/* ---- clients that follow ---- */

/* A client that follows has no idle timeout; it is read from only to notice that it leaves. */
static void follower_watch(struct client *c)
{
	int events = EV_READ | (c->backlog_len > 0 ? EV_WRITE : 0);

	if (ev_is_active(&c->io) && (c->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(c->control->loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	ev_io_start(c->control->loop, &c->io);
}

/* Writes what the socket takes. */
static void follower_flush(struct client *c)
{
	size_t done = 0;

	while (done < c->backlog_len) {
		ssize_t n = send(c->fd, c->backlog + done, c->backlog_len - done,
				 MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n < 0) {
			client_close(c);
			return;
		}
		done += (size_t)n;
	}
	c->backlog_len -= done;
	memmove(c->backlog, c->backlog + done, c->backlog_len);
	follower_watch(c);
}

static void follower_ready(struct client *c, int revents)
{
	char ignored[256];

	if (revents & EV_READ) {
		ssize_t n = recv(c->fd, ignored, sizeof(ignored), MSG_DONTWAIT);
		if (n == 0 ||
		    (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
			client_close(c);
			return;
		}
	}
	if (revents & EV_WRITE)
		follower_flush(c);
}

static bool follower_send(struct client *c, const char *line, size_t len)
{
	if (CONTROL_BACKLOG - c->backlog_len < len + 1)
		return false;
	memcpy(c->backlog + c->backlog_len, line, len);
	c->backlog[c->backlog_len + len] = '\n';
	c->backlog_len += len + 1;
	follower_watch(c);
	return true;
}

/* Takes `answer`. */
static void follower_begin(struct client *c, char *answer)
{
	c->backlog = malloc(CONTROL_BACKLOG);
	c->backlog_len = 0;
	c->line_len = 0;
	ev_timer_stop(c->control->loop, &c->idle);
	if (!c->backlog || !follower_send(c, answer, strlen(answer)))
		client_close(c);
	free(answer);
}

/* ---- requests ---- */

/* Handles the first line; true: its answer is written and the next may be handled. */
static bool take_line(struct client *c, size_t len)
{
	char *answer = NULL;
	size_t used = len + 1;

	c->line[len] = '\0';
	enum control_verdict verdict = c->control->handler(c->control->ctx, number_of(c),
							   moment_now(), c->line, len, &answer);
	memmove(c->line, c->line + used, c->line_len - used);
	c->line_len -= used;
	if (verdict == CONTROL_ANSWERED)
		return client_answer(c, answer);
	if (verdict == CONTROL_FOLLOWS) {
		follower_begin(c, answer);
	} else if (verdict == CONTROL_LATER) {
		c->waiting = true;
		ev_io_stop(c->control->loop, &c->io);
		ev_timer_stop(c->control->loop, &c->idle);
	} else {
		client_close(c);
	}
	return false;
}

static void take_lines(struct client *c)
{
	char *end;

	while ((end = memchr(c->line, '\n', c->line_len)))
		if (!take_line(c, (size_t)(end - c->line)))
			return;
	if (c->line_len == sizeof(c->line)) {
		log_debug("control: a client sent a line of more than %d bytes", CONTROL_LINE);
		client_close(c);
		return;
	}
	client_watch(c, EV_READ);
}

static void client_ready(struct ev_loop *loop, struct ev_io *io, int revents)
{
	struct client *c = container_of(io, struct client, io);

	(void)loop;
	if (c->backlog) {
		follower_ready(c, revents);
		return;
	}
	if (revents & EV_WRITE) {
		if (client_flush(c))
			take_lines(c);
		return;
	}
	ssize_t n = recv(c->fd, c->line + c->line_len, sizeof(c->line) - c->line_len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		client_close(c);
		return;
	}
	c->line_len += (size_t)n;
	take_lines(c);
}

static void idle_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	client_close(container_of(timer, struct client, idle));
}

static void accepted(void *ctx, int fd, const struct sockaddr_storage *from, socklen_t from_len)
{
	struct control *control = ctx;

	(void)from;
	(void)from_len;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *c = &control->clients[i];
		if (c->fd >= 0)
			continue;
		c->fd = fd;
		c->line_len = 0;
		client_watch(c, EV_READ);
		return;
	}
	static const char full[] =
		"{\"error\":\"all control connections are in use: try again later\"}\n";
	(void)send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fd);
}

/* True when a process accepts connections at `at`. */
static bool is_alive(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	bool alive = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0 || errno == EAGAIN;
	close(fd);
	return alive;
}

/* A listening socket, or -1 with `why`. */
static int open_socket(const char *path, char *why)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;

	if (strlen(path) >= sizeof(at.sun_path)) {
		snprintf(why, CONTROL_WHY, "the path of the control socket is too long: %.150s",
			 path);
		return -1;
	}
	memcpy(at.sun_path, path, strlen(path));
	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode)) {
			snprintf(why, CONTROL_WHY, "%s exists and is not a socket: remove it",
				 path);
			return -1;
		}
		if (is_alive(&at)) {
			snprintf(why, CONTROL_WHY, "another popd is running: it answers on %s",
				 path);
			return -1;
		}
		(void)unlink(path);
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mode_t mask = umask(0117);
	bool good = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 &&
		    listen(fd, 2 * CONTROL_CLIENTS) == 0;
	umask(mask);
	if (good)
		return fd;
	snprintf(why, CONTROL_WHY, "the control socket %s cannot be created: %s", path,
		 strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

struct control *control_create(struct ev_loop *loop, const char *path, control_handler *handler,
			       control_leaver *left, void *ctx, char why[static CONTROL_WHY])
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control) {
		snprintf(why, CONTROL_WHY, "no memory for the control socket");
		return NULL;
	}
	control->fd = open_socket(path, why);
	if (control->fd < 0) {
		free(control);
		return NULL;
	}
	snprintf(control->path, sizeof(control->path), "%s", path);
	control->loop = loop;
	control->handler = handler;
	control->left = left;
	control->ctx = ctx;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *c = &control->clients[i];
		c->control = control;
		c->fd = -1;
		ev_init(&c->io, client_ready);
		ev_timer_init(&c->idle, idle_due, idle_timeout, idle_timeout);
	}
	acceptor_start(&control->acceptor, loop, control->fd, "the control socket", accepted,
		       control);
	return control;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].fd >= 0)
			client_close(&control->clients[i]);
	acceptor_stop(&control->acceptor);
	close(control->fd);
	(void)unlink(control->path);
	free(control);
}

bool control_send(struct control *control, unsigned client, const char *line, size_t len)
{
	struct client *c = &control->clients[client];

	return c->fd >= 0 && c->backlog && follower_send(c, line, len);
}

void control_answer_waiting(struct control *control, const char *answer)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++) {
		struct client *c = &control->clients[i];
		if (c->fd < 0 || !c->waiting)
			continue;
		c->waiting = false;
		char *copy = strdup(answer);
		if (!copy)
			client_close(c);
		else if (client_answer(c, copy))
			take_lines(c);
	}
}

bool control_has_waiting(const struct control *control)
{
	for (size_t i = 0; i < CONTROL_CLIENTS; i++)
		if (control->clients[i].fd >= 0 && control->clients[i].waiting)
			return true;
	return false;
}
