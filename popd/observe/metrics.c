/*
 * libmicrohttpd in external epoll mode: libev watches its one epoll descriptor, MHD_run does what
 * is due, and MHD_get_timeout tells when to run again. An acceptor gives it the connections, since
 * the library's own accept loop spins when the process is out of descriptors. A request is answered as soon as its headers
 * are complete; nothing is ever suspended. Each answer closes its connection, since a scraper comes
 * once in many seconds and would hold a place that others need.
 *
 * Slow clients: the library's own timeout restarts with every byte, so each connection has a
 * deadline here instead, past which its socket is shut down; the library then cleans up as if the
 * client had left. When all places are taken by connections without a request, the oldest is shut
 * down for the newest.
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
#include "lib/io/acceptor.h"
#include "lib/io/listen.h"
#include "lib/log.h"
#include "popd/observe/facts.h"
#include "popd/observe/metrics_text.h"

enum {
	BACKLOG = 128,
	CONNECTIONS = 32,
	SPARE = 8,                 /* more, until one that was shut down is gone */
	CONNECTION_MEMORY = 16384, /* bytes: its headers, or a piece of its answer */
	READERS = 2,               /* of the tunnels' series */
	PAGE_MS = 1000,            /* a page is served for so long */
	REQUEST_MS = 5000,         /* until a request is complete */
	ANSWER_MS = 10000,         /* until its answer is read */
	TUNNELS_ANSWER_MS = 60000, /* the same of the tunnels' series */
	SWEEP_SECONDS = 1,
};

struct connection {
	struct connection *next, *prev; /* the newest is first */
	int fd;
	mono_t deadline;
	bool answered, shut;
};

struct metrics {
	struct metrics_conf conf;
	char address[LISTEN_TEXT], problem[LISTEN_WHY];
	struct acceptor acceptor;
	int listener;            /* -1: none */
	struct ev_io io;         /* the library's epoll descriptor */
	struct ev_timer timeout; /* the library wants to run again */
	struct ev_timer sweep;   /* deadlines; runs while there are connections */
	struct MHD_Daemon *daemon;
	struct connection *connections;
	unsigned connection_count, readers;
	bool freed; /* a place became free during this run */
	struct facts *facts;
	char *page; /* the PoP's, as last made */
	size_t page_len, page_size;
	mono_t page_at;
	struct MHD_Response *response; /* of the page; NULL: none was made yet */
	struct log_limit log_limit;
};

/* An answer with the tunnels' series: the page as it was, then the walk. */
struct reader {
	struct metrics *metrics;
	char *page;
	size_t page_len, page_read;
	struct metrics_walk walk;
};

/* ---- connections ---- */

static struct connection *connection_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void set_deadline(struct connection *conn, int64_t ms)
{
	conn->deadline.ms = mono_now().ms + ms;
}

static void shut_down(struct connection *conn)
{
	if (!conn->shut)
		shutdown(conn->fd, SHUT_RDWR);
	conn->shut = true;
}

static void sweep_due(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct metrics *m = container_of(timer, struct metrics, sweep);
	mono_t now = mono_now();

	(void)events;
	for (struct connection *conn = m->connections; conn; conn = conn->next)
		if (mono_since(now, conn->deadline) >= 0)
			shut_down(conn);
	if (!m->connections)
		ev_timer_stop(loop, timer);
}

/* Shuts down the oldest connection without a request, or the newest if all have one. */
static void evict(struct metrics *m)
{
	struct connection *oldest = m->connections;

	for (struct connection *conn = m->connections; conn; conn = conn->next)
		if (!conn->answered && !conn->shut)
			oldest = conn;
	shut_down(oldest);
}

static void connection_opened(struct metrics *m, struct MHD_Connection *c, void **socket_ctx)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_CONNECTION_FD);
	int fd = info ? info->connect_fd : -1;
	struct connection *conn = fd >= 0 ? calloc(1, sizeof(*conn)) : NULL;

	*socket_ctx = conn;
	if (!conn) { /* without it there is no deadline */
		if (fd >= 0)
			shutdown(fd, SHUT_RDWR);
		return;
	}
	conn->fd = fd;
	set_deadline(conn, REQUEST_MS);
	conn->next = m->connections;
	if (conn->next)
		conn->next->prev = conn;
	m->connections = conn;
	if (++m->connection_count > CONNECTIONS)
		evict(m);
	acceptor_hold(&m->acceptor, m->connection_count >= CONNECTIONS + SPARE);
	if (!ev_is_active(&m->sweep))
		ev_timer_again(m->conf.loop, &m->sweep);
}

static void connection_closed(struct metrics *m, struct connection *conn)
{
	if (!conn)
		return;
	if (conn->next)
		conn->next->prev = conn->prev;
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		m->connections = conn->next;
	m->connection_count--;
	acceptor_hold(&m->acceptor, false);
	m->freed = true;
	free(conn);
}

static void connection_changed(void *ctx, struct MHD_Connection *c, void **socket_ctx,
			       enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		connection_opened(ctx, c, socket_ctx);
	} else {
		connection_closed(ctx, *socket_ctx);
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

/* `sentence` lives for ever; `name` NULL: no further header. */
static enum MHD_Result refuse(struct MHD_Connection *c, unsigned status, const char *sentence,
			      const char *name, const char *value)
{
	void *body; /* the library only reads it, but takes no const */

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

/* Makes the page anew unless it is younger than PAGE_MS; false: no memory. */
static bool refresh(struct metrics *m)
{
	mono_t now = mono_now();

	if (m->response && mono_since(now, m->page_at) < PAGE_MS)
		return true;
	if (m->response)
		MHD_destroy_response(m->response);
	m->conf.facts(m->conf.ctx, m->facts);
	struct wr w = wr_init(m->page, m->page_size);
	metrics_text_pop(&w, m->facts);
	m->page_len = wr_len(&w);
	m->page_at = now;
	/* clients that still read the page before have their own copy of it */
	m->response = wr_ok(&w) ? MHD_create_response_from_buffer(m->page_len, m->page,
								  MHD_RESPMEM_MUST_COPY)
				: NULL;
	if (m->response && !add_headers(m->response, page_type)) {
		MHD_destroy_response(m->response);
		m->response = NULL;
	}
	return m->response != NULL;
}

static ssize_t read_more(void *ctx, uint64_t position, char *buf, size_t size)
{
	struct reader *r = ctx;
	size_t n = r->page_len - r->page_read;

	(void)position;
	if (n > 0) {
		n = n < size ? n : size;
		memcpy(buf, r->page + r->page_read, n);
		r->page_read += n;
		return (ssize_t)n;
	}
	if (size < METRICS_LINE)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	n = metrics_walk_next(&r->walk, &r->metrics->conf.tunnels, mono_seconds(), buf, size);
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
	struct MHD_Response *response = MHD_create_response_from_callback(
		MHD_SIZE_UNKNOWN, CONNECTION_MEMORY, read_more, r, reader_free);
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
static enum MHD_Result answer_page(struct metrics *m, struct MHD_Connection *c,
				   struct connection *conn, const char *tunnels)
{
	bool wants_tunnels = tunnels && strcmp(tunnels, "1") == 0;

	if (tunnels && !wants_tunnels && strcmp(tunnels, "0") != 0)
		return refuse(c, MHD_HTTP_BAD_REQUEST, "tunnels must be 0 or 1\n", NULL, NULL);
	if (wants_tunnels && m->readers >= READERS)
		return refuse(c, MHD_HTTP_SERVICE_UNAVAILABLE,
			      "too many clients read the tunnels' series now; try again later\n",
			      MHD_HTTP_HEADER_RETRY_AFTER, "10");
	if (!refresh(m))
		return MHD_NO;
	if (!wants_tunnels)
		return MHD_queue_response(c, MHD_HTTP_OK, m->response);
	set_deadline(conn, TUNNELS_ANSWER_MS);
	return answer_tunnels(m, c);
}

/* The library calls this when the headers are complete, then for each piece of a body. A request
 * with a body is refused. */
static enum MHD_Result request_ready(void *ctx, struct MHD_Connection *c, const char *path,
				     const char *method, const char *version, const char *data,
				     size_t *data_size, void **request_ctx)
{
	struct metrics *m = ctx;
	struct connection *conn = connection_of(c);

	(void)version;
	(void)data;
	if (!conn || *data_size > 0)
		return MHD_NO;
	conn->answered = true;
	set_deadline(conn, ANSWER_MS);
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(c, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are served here\n",
			      MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (!*request_ctx) { /* a body may follow, which an answer now would overtake */
		*request_ctx = conn;
		return MHD_YES;
	}
	if (strcmp(path, "/metrics") != 0)
		return refuse(c, MHD_HTTP_NOT_FOUND, "only /metrics is served here\n", NULL, NULL);
	return answer_page(m, c, conn,
			   MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "tunnels"));
}

/* ---- the loop ---- */

static void library_log(void *ctx, const char *fmt, va_list ap) FORMAT(2, 0);
static void library_log(void *ctx, const char *fmt, va_list ap)
{
	struct metrics *m = ctx;
	char text[256];

	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_limited(&m->log_limit, 10, 60, LOG_LEVEL_DEBUG, "libmicrohttpd: %s", text);
}

/* Only the next run closes the descriptor of a connection that ended in this one. */
static void run(struct metrics *m)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;

	m->freed = false;
	MHD_run(m->daemon);
	ev_timer_stop(m->conf.loop, &m->timeout);
	if (MHD_get_timeout(m->daemon, &ms) == MHD_YES || m->freed) {
		ev_timer_set(&m->timeout, m->freed ? 0. : (double)ms / 1000., 0.);
		ev_timer_start(m->conf.loop, &m->timeout);
	}
}

static void io_ready(struct ev_loop *loop, struct ev_io *io, int events)
{
	(void)loop;
	(void)events;
	run(container_of(io, struct metrics, io));
}

static void timeout_due(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	run(container_of(timer, struct metrics, timeout));
}

/* ---- start and end ---- */

/* The library closes the descriptor, whatever happens. */
static void accepted(void *ctx, int fd, const struct sockaddr_storage *from, socklen_t len)
{
	struct metrics *m = ctx;

	(void)MHD_add_connection(m->daemon, fd, (const struct sockaddr *)from, len);
	ev_timer_stop(m->conf.loop, &m->timeout);
	ev_timer_set(&m->timeout, 0., 0.);
	ev_timer_start(m->conf.loop, &m->timeout);
}

static bool start(struct metrics *m)
{
	m->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET,
				     0, NULL, NULL, request_ready, m, MHD_OPTION_EXTERNAL_LOGGER,
				     library_log, m, MHD_OPTION_CONNECTION_LIMIT,
				     (unsigned)(CONNECTIONS + SPARE),
				     MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,
				     MHD_OPTION_NOTIFY_CONNECTION, connection_changed, m,
				     MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!m->daemon)
		return false;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(m->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info) {
		MHD_stop_daemon(m->daemon);
		m->daemon = NULL;
		return false;
	}
	ev_io_set(&m->io, info->epoll_fd, EV_READ);
	ev_io_start(m->conf.loop, &m->io);
	acceptor_start(&m->acceptor, m->conf.loop, m->listener, "the metrics server", accepted, m);
	return true;
}

void metrics_listen(struct metrics *m)
{
	if (m->daemon || m->conf.at.host[0] == '\0')
		return;
	m->listener = listen_open(&m->conf.at, BACKLOG, m->problem);
	if (m->listener >= 0 && !start(m)) {
		snprintf(m->problem, sizeof(m->problem), "the HTTP server cannot be started");
		close(m->listener);
		m->listener = -1;
	}
	if (m->daemon)
		log_info("metrics are served at http://%s/metrics", m->address);
	else
		log_warnx("metrics are not served: %s (\"popctl reload\" tries again)", m->problem);
}

struct metrics *metrics_create(const struct metrics_conf *conf)
{
	struct metrics *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->conf = *conf;
	m->listener = -1;
	listen_text(&conf->at, m->address);
	ev_init(&m->io, io_ready);
	ev_init(&m->timeout, timeout_due);
	ev_init(&m->sweep, sweep_due);
	m->sweep.repeat = SWEEP_SECONDS;
	m->page_size = METRICS_TEXT + (size_t)conf->workers * METRICS_TEXT_WORKER;
	m->page = malloc(m->page_size);
	m->facts = malloc(sizeof(*m->facts));
	if (!m->page || !m->facts) {
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
	ev_timer_stop(m->conf.loop, &m->timeout);
	ev_timer_stop(m->conf.loop, &m->sweep);
	acceptor_stop(&m->acceptor);
	if (m->daemon)
		MHD_stop_daemon(m->daemon);
	if (m->listener >= 0)
		close(m->listener);
	if (m->response)
		MHD_destroy_response(m->response);
	free(m->page);
	free(m->facts);
	free(m);
}

struct metrics_state metrics_state(const struct metrics *m)
{
	bool off = m->conf.at.host[0] == '\0';

	return (struct metrics_state){ .address = off ? NULL : m->address,
				       .problem = off || m->daemon ? NULL : m->problem };
}
