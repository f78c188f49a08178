/*
 * libmicrohttpd in external epoll mode: its one epoll descriptor is watched by libev, MHD_run does
 * what is due, and MHD_get_timeout tells whether more is. A request is answered the moment its
 * headers are complete; nothing is ever suspended. Each answer closes its connection: a scraper
 * comes once in many seconds, and a place held in between is a place less for others.
 *
 * Who is slow: the library's own timeout restarts with every byte, so each connection has a
 * deadline here instead, past which its socket is shut down; the library takes that for the
 * client's doing and cleans up. When all places are taken by connections that ask for nothing, the
 * oldest goes for the newest.
 */
#include "popd/observe/metrics.h"

#include <ev.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/io/listen.h"
#include "lib/log.h"
#include "popd/observe/metrics_text.h"

enum {
	BACKLOG = 128,
	PLACES = 32,        /* connections */
	SPARE = 8,          /* more for the moment until an older one is gone */
	MEMORY = 16 * 1024, /* of a connection: its headers, or a piece of its answer */
	READERS = 2,        /* of the tunnels' series */
	PAGE_MS = 1000,     /* a page serves so long */
	REQUEST_MS = 5000,  /* until a request is complete */
	ANSWER_MS = 10000,  /* until its answer is taken */
	TUNNELS_MS = 60000, /* the same of the tunnels' series */
	SWEEP_SECONDS = 1,
};

struct visitor {
	struct visitor *next, *prev; /* the newest is first */
	int fd;
	mono_t deadline;
	bool answered, shut;
};

struct metrics {
	struct metrics_conf conf;
	char address[LISTEN_TEXT], problem[LISTEN_WHY];
	struct ev_io io;       /* the library's epoll descriptor */
	struct ev_timer due;   /* the library wants to run again */
	struct ev_timer sweep; /* deadlines; runs while there are visitors */
	struct MHD_Daemon *daemon;
	struct visitor *visitors;
	unsigned visitor_count, readers;
	bool freed; /* a place became free during this run */
	struct metrics_pop *pop;
	char *page; /* the PoP's, as last made */
	size_t page_len, page_room;
	mono_t page_at;
	struct MHD_Response *response; /* of the page; NULL: none was made yet */
	struct log_limit complaints;
};

/* An answer with the tunnels' series: the page as it was, then the walk. */
struct reader {
	struct metrics *metrics;
	char *page;
	size_t page_len, told;
	struct metrics_walk walk;
};

/* ---- visitors ---- */

static struct visitor *visitor_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void expect(struct visitor *v, int64_t ms)
{
	v->deadline.ms = mono_now().ms + ms;
}

static void show_out(struct visitor *v)
{
	if (!v->shut)
		shutdown(v->fd, SHUT_RDWR);
	v->shut = true;
}

static void sweep_fired(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct metrics *m = container_of(timer, struct metrics, sweep);
	mono_t now = mono_now();

	(void)events;
	for (struct visitor *v = m->visitors; v; v = v->next)
		if (mono_since(now, v->deadline) >= 0)
			show_out(v);
	if (!m->visitors)
		ev_timer_stop(loop, timer);
}

/* The oldest that has asked for nothing yet; if all have, the newest has bad luck. */
static void make_room(struct metrics *m)
{
	struct visitor *oldest = m->visitors;

	for (struct visitor *v = m->visitors; v; v = v->next)
		if (!v->answered && !v->shut)
			oldest = v;
	show_out(oldest);
}

static void visitor_came(struct metrics *m, struct MHD_Connection *c, void **socket_ctx)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_CONNECTION_FD);
	int fd = info ? info->connect_fd : -1;
	struct visitor *v = fd >= 0 ? calloc(1, sizeof(*v)) : NULL;

	*socket_ctx = v;
	if (!v) { /* nobody would watch its deadline */
		if (fd >= 0)
			shutdown(fd, SHUT_RDWR);
		return;
	}
	v->fd = fd;
	expect(v, REQUEST_MS);
	v->next = m->visitors;
	if (v->next)
		v->next->prev = v;
	m->visitors = v;
	if (++m->visitor_count > PLACES)
		make_room(m);
	if (!ev_is_active(&m->sweep))
		ev_timer_again(m->conf.loop, &m->sweep);
}

static void visitor_left(struct metrics *m, struct visitor *v)
{
	if (!v)
		return;
	if (v->next)
		v->next->prev = v->prev;
	if (v->prev)
		v->prev->next = v->next;
	else
		m->visitors = v->next;
	m->visitor_count--;
	m->freed = true;
	free(v);
}

static void connection_changed(void *ctx, struct MHD_Connection *c, void **socket_ctx,
			       enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		visitor_came(ctx, c, socket_ctx);
	} else {
		visitor_left(ctx, *socket_ctx);
		*socket_ctx = NULL;
	}
}

/* ---- answers ---- */

static bool add_headers(struct MHD_Response *r, const char *type)
{
	return MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
	       MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES;
}

/* Takes `r`, which may be NULL. */
static enum MHD_Result queue(struct MHD_Connection *c, unsigned status, struct MHD_Response *r)
{
	enum MHD_Result result = r ? MHD_queue_response(c, status, r) : MHD_NO;

	if (r)
		MHD_destroy_response(r);
	return result;
}

/* `sentence` is a constant; `name` NULL: no more headers. */
static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *sentence,
			      const char *name, const char *value)
{
	void *body; /* the library takes a pointer to what it will only read */

	memcpy(&body, &sentence, sizeof(body));
	struct MHD_Response *r = MHD_create_response_from_buffer(strlen(sentence), body,
								 MHD_RESPMEM_PERSISTENT);
	if (r && (!add_headers(r, "text/plain; charset=utf-8") ||
		  (name && MHD_add_response_header(r, name, value) != MHD_YES))) {
		MHD_destroy_response(r);
		r = NULL;
	}
	return queue(c, status, r);
}

static const char page_type[] = "text/plain; version=0.0.4; charset=utf-8";

/* The page is no older than PAGE_MS; false: no memory. */
static bool refresh(struct metrics *m)
{
	mono_t now = mono_now();

	if (m->response && mono_since(now, m->page_at) < PAGE_MS)
		return true;
	if (m->response)
		MHD_destroy_response(m->response);
	m->conf.gather(m->conf.ctx, m->pop);
	struct wr w = wr_init(m->page, m->page_room);
	metrics_text_pop(&w, m->pop);
	m->page_len = wr_len(&w);
	m->page_at = now;
	/* those still reading the page before keep their copy of it */
	m->response = wr_ok(&w) ? MHD_create_response_from_buffer(m->page_len, m->page,
								  MHD_RESPMEM_MUST_COPY)
				: NULL;
	if (m->response && !add_headers(m->response, page_type)) {
		MHD_destroy_response(m->response);
		m->response = NULL;
	}
	return m->response != NULL;
}

static ssize_t read_on(void *ctx, uint64_t position, char *buf, size_t size)
{
	struct reader *r = ctx;
	size_t n = r->page_len - r->told;

	(void)position;
	if (n > 0) {
		n = n < size ? n : size;
		memcpy(buf, r->page + r->told, n);
		r->told += n;
		return (ssize_t)n;
	}
	if (size < METRICS_LINE)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = metrics_walk_next(&r->walk, &r->metrics->conf.tunnels, (uint32_t)wall_now().s, buf,
			      size);
	return n > 0 ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

static void reader_free(void *ctx)
{
	struct reader *r = ctx;

	r->metrics->readers--;
	free(r->page);
	free(r);
}

static enum MHD_Result answer_tunnels(struct metrics *m, struct MHD_Connection *c)
{
	struct reader *r = calloc(1, sizeof(*r));
	char *page = malloc(m->page_len);

	if (!r || !page) {
		free(r);
		free(page);
		return MHD_NO;
	}
	memcpy(page, m->page, m->page_len);
	*r = (struct reader){ .metrics = m, .page = page, .page_len = m->page_len };
	m->readers++;
	struct MHD_Response *response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, MEMORY,
									  read_on, r, reader_free);
	if (!response) {
		reader_free(r);
		return MHD_NO;
	}
	if (!add_headers(response, page_type)) {
		MHD_destroy_response(response);
		return MHD_NO;
	}
	return queue(c, MHD_HTTP_OK, response);
}

/* `tunnels`: of the query, or NULL. */
static enum MHD_Result answer_page(struct metrics *m, struct MHD_Connection *c, struct visitor *v,
				   const char *tunnels)
{
	bool wants_tunnels = tunnels && strcmp(tunnels, "1") == 0;

	if (tunnels && !wants_tunnels && strcmp(tunnels, "0") != 0)
		return refuse(c, MHD_HTTP_BAD_REQUEST, "tunnels is 1 or 0\n", NULL, NULL);
	if (wants_tunnels && m->readers >= READERS)
		return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE,
			      "others are reading the tunnels' metrics already\n",
			      MHD_HTTP_HEADER_RETRY_AFTER, "10");
	if (!refresh(m))
		return MHD_NO;
	if (!wants_tunnels)
		return MHD_queue_response(c, MHD_HTTP_OK, m->response);
	expect(v, TUNNELS_MS);
	return answer_tunnels(m, c);
}

/* The library calls when the headers are there, then for each piece of a body. Who sends one has
 * come to the wrong place. */
static enum MHD_Result request_came(void *ctx, struct MHD_Connection *c, const char *path,
				    const char *method, const char *version, const char *data,
				    size_t *data_size, void **request_ctx)
{
	struct metrics *m = ctx;
	struct visitor *v = visitor_of(c);

	(void)version;
	(void)data;
	if (!v || *data_size > 0)
		return MHD_NO;
	v->answered = true;
	expect(v, ANSWER_MS);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED,
			      "there is nothing but GET and HEAD here\n", MHD_HTTP_HEADER_ALLOW,
			      "GET, HEAD");
	if (!*request_ctx) { /* an answer now would come before the body, if there is one */
		*request_ctx = v;
		return MHD_YES;
	}
	if (strcmp(path, "/metrics") != 0)
		return refuse(c, MHD_HTTP_NOT_FOUND, "there is nothing but /metrics here\n", NULL,
			      NULL);
	return answer_page(m, c, v,
			   MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "tunnels"));
}

/* ---- the loop ---- */

static void library_complained(void *ctx, const char *fmt, va_list ap) FORMAT(2, 0);
static void library_complained(void *ctx, const char *fmt, va_list ap)
{
	struct metrics *m = ctx;
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_limited(&m->complaints, 10, 60, LOG_LEVEL_DEBUG, "libmicrohttpd: %s", text);
}

/* Full, the library stops listening, and looks whether it may go on only at the beginning of a run:
 * so one more is due when a place became free. */
static void run(struct metrics *m)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;

	m->freed = false;
	MHD_run(m->daemon);
	ev_timer_stop(m->conf.loop, &m->due);
	if (MHD_get_timeout(m->daemon, &ms) == MHD_YES || m->freed) {
		ev_timer_set(&m->due, m->freed ? 0. : (double)ms / 1000., 0.);
		ev_timer_start(m->conf.loop, &m->due);
	}
}

static void io_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)loop;
	(void)events;
	run(container_of(io, struct metrics, io));
}

static void due_fired(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	run(container_of(timer, struct metrics, due));
}

/* ---- making ---- */

static bool start(struct metrics *m, int listener)
{
	m->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, request_came, m,
		MHD_OPTION_EXTERNAL_LOGGER, library_complained, m, MHD_OPTION_LISTEN_SOCKET,
		(MHD_socket)listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned)(PLACES + SPARE),
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY, MHD_OPTION_NOTIFY_CONNECTION,
		connection_changed, m, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!m->daemon) {
		close(listener);
		return false;
	}
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info) {
		MHD_stop_daemon(m->daemon);
		m->daemon = NULL;
		return false;
	}
	ev_io_set(&m->io, info->epoll_fd, EV_READ);
	ev_io_start(m->conf.loop, &m->io);
	return true;
}

void metrics_listen(struct metrics *m)
{
	if (m->daemon || m->conf.at.host[0] == '\0')
		return;
	int listener = listen_open(&m->conf.at, BACKLOG, m->problem);
	if (listener >= 0 && !start(m, listener))
		snprintf(m->problem, sizeof(m->problem), "the HTTP server cannot be started");
	if (m->daemon)
		log_info("metrics are at http://%s/metrics", m->address);
	else
		log_warnx("there are no metrics: %s (\"popctl reload\" tries again)", m->problem);
}

struct metrics *metrics_create(const struct metrics_conf *conf)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->conf = *conf;
	listen_text(&conf->at, m->address);
	ev_init(&m->io, io_ready);
	ev_init(&m->due, due_fired);
	ev_init(&m->sweep, sweep_fired);
	m->sweep.repeat = SWEEP_SECONDS;
	m->page_room = METRICS_TEXT + (size_t)conf->tunnels.counter_sets * METRICS_TEXT_WORKER;
	m->page = malloc(m->page_room);
	m->pop = malloc(sizeof(*m->pop));
	if (!m->page || !m->pop) {
		metrics_free(m);
		return NULL;
	}
	metrics_listen(m);
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	ev_io_stop(m->conf.loop, &m->io);
	ev_timer_stop(m->conf.loop, &m->due);
	ev_timer_stop(m->conf.loop, &m->sweep);
	if (m->daemon)
		MHD_stop_daemon(m->daemon);
	if (m->response)
		MHD_destroy_response(m->response);
	free(m->page);
	free(m->pop);
	free(m);
}

struct metrics_state metrics_state(const struct metrics *m)
{
	bool off = m->conf.at.host[0] == '\0';

	return (struct metrics_state){ .address = off ? NULL : m->address,
				       .problem = off || m->daemon ? NULL : m->problem };
}
