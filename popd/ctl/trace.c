#include "popd/ctl/trace.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "popd/ctl/client.h"
#include "popd/ctl/packet_show.h"
#include "popd/ctl/request.h"

/* ---- lines from popd, until Ctrl-C or SIGTERM ---- */

enum { LINE_MAX_BYTES = 1 << 20, STREAM_WHY = 120 };

static volatile sig_atomic_t stopped;

struct stream {
	int fd;
	sigset_t before; /* the mask to wait with */
	char *buffer;    /* LINE_MAX_BYTES */
	size_t at, end;  /* received and not yet returned */
};

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

/* The signals are blocked except in ppoll, so that none is lost between a check and the wait. */
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

/* From now on the two signals end the stream, not the process. NULL: no memory. `fd` stays the
 * caller's. */
static struct stream *stream_open(int fd)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s || !(s->buffer = malloc(LINE_MAX_BYTES))) {
		free(s);
		return NULL;
	}
	s->fd = fd;
	catch_signals(s);
	return s;
}

static void stream_close(struct stream *s)
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

/* True when the next line has arrived already. */
static bool stream_has_line(const struct stream *s)
{
	return newline(s) != NULL;
}

/* Waits for more; false: there is no more, with `why` if no signal ended it. */
static bool receive(struct stream *s, char why[static STREAM_WHY])
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	memmove(s->buffer, s->buffer + s->at, s->end - s->at);
	s->end -= s->at;
	s->at = 0;
	if (s->end == LINE_MAX_BYTES) {
		snprintf(why, STREAM_WHY, "popd sent a line of more than 1 MB");
		return false;
	}
	while (!stopped && ppoll(&p, 1, NULL, &s->before) < 0 && errno == EINTR)
		;
	if (stopped)
		return false;
	ssize_t n = recv(s->fd, s->buffer + s->end, LINE_MAX_BYTES - s->end, 0);
	if (n <= 0) {
		snprintf(why, STREAM_WHY, "popd has closed the connection%s%s", n < 0 ? ": " : "",
			 n < 0 ? strerror(errno) : "");
		return false;
	}
	s->end += (size_t)n;
	return true;
}

/* The next line without its newline, the stream's until the next call. NULL: `why` is a sentence,
 * or empty when a signal has ended it. */
static char *stream_line(struct stream *s, char why[static STREAM_WHY])
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

/* ---- following ---- */

/* Bytes of each packet: a line of text shows headers only. */
enum { SNAP_HEADERS = 256, SNAP_ALL = 2048 };

static enum packet_form form_of(const struct request *r)
{
	if (r->pcap)
		return r->outer ? FORM_OUTER : FORM_INNER;
	return r->json ? FORM_JSON : FORM_TEXT;
}

static char *request_text(const struct request *r, enum packet_form form)
{
	json_t *list = json_array(), *o = json_pack("{s:s}", "command", r->command->name);

	for (size_t i = 0; i < r->n; i++)
		(void)json_array_append_new(list, json_string(r->arguments[i]));
	(void)json_object_set_new(o, r->command->key, list);
	(void)json_object_set_new(o, "all", json_boolean(r->all));
	(void)json_object_set_new(o, "snap",
				  json_integer(form == FORM_TEXT ? SNAP_HEADERS : SNAP_ALL));
	char *text = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	return text;
}

/* Prints what has arrived before it waits for more. 0 or 1. */
static int follow(struct stream *stream, struct packet_show *show, FILE *err)
{
	char why[STREAM_WHY], *line = stream_line(stream, why);

	if (line && packet_show_begin(show, line, err) != 0)
		return 1;
	while (line && !packet_show_is_done(show)) {
		if (!stream_has_line(stream) && fflush(show->out) != 0)
			break;
		line = stream_line(stream, why);
		if (line && packet_show_line(show, line, err) != 0) {
			fprintf(err, "popctl: popd sent a line that is not a packet\n");
			return 1;
		}
	}
	if (fflush(show->out) != 0) {
		fprintf(err, "popctl: the packets cannot be written: %s\n", strerror(errno));
		return 1;
	}
	if (!line && why[0])
		fprintf(err, "popctl: %s\n", why);
	return !line && why[0] ? 1 : 0;
}

static int ask_and_follow(int fd, const struct request *r, struct packet_show *show, FILE *err)
{
	char why[CLIENT_WHY], *request = request_text(r, show->form);
	struct stream *stream = request ? stream_open(fd) : NULL;
	int status = 1;

	if (!stream)
		fprintf(err, "popctl: no memory\n");
	else if (client_send(fd, request, why) != 0)
		fprintf(err, "popctl: %s\n", why);
	else
		status = follow(stream, show, err);
	stream_close(stream);
	free(request);
	return status;
}

int trace_run(int fd, const struct request *r, FILE *out, FILE *err)
{
	bool to_file = r->pcap && strcmp(r->pcap, "-") != 0;
	FILE *file = to_file ? fopen(r->pcap, "wbe") : out;
	struct packet_show show = { .out = file, .form = form_of(r), .max = r->count };

	if (!file) {
		fprintf(err, "popctl: %s cannot be written: %s\n", r->pcap, strerror(errno));
		return 1;
	}
	int status = ask_and_follow(fd, r, &show, err);
	if (to_file && fclose(file) != 0) {
		fprintf(err, "popctl: %s cannot be written: %s\n", r->pcap, strerror(errno));
		status = 1;
	}
	return status;
}
