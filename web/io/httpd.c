/*
 * libmicrohttpd in external epoll mode: libev watches its one epoll descriptor, MHD_run does what
 * is due, and MHD_get_timeout says when to call it again. An acceptor gives it the connections, since
 * the library's own accept loop spins when the process is out of descriptors. A request is answered as soon as it is
 * complete; nothing is ever suspended.
 *
 * The library's own timeout restarts with every byte, so a client that sends one a second would
 * stay for ever. Here each connection has a deadline instead: until its next request is complete,
 * then until its answer is read. After that the socket is shut down, which the library takes for a
 * client that went away, and cleans up.
 *
 * The library refuses connections beyond a limit of its own. That one is SPARE above ours, so that it
 * can accept one more and we can shut down the oldest that waits for a request: whoever only holds
 * connections open cannot keep others out.
 *
 * A connection is counted with its address while it lives. A front's is counted with the address of
 * the client for whom a request is, from the request's headers to the end of its answer.
 *
 * Equal answers with an ETag share their bytes (the library counts references), so a thousand slow
 * readers of one page cost one page.
 */
#include "web/io/httpd.h"

#include <ev.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/fronts.h"
#include "lib/io/acceptor.h"
#include "lib/io/listen.h"
#include "lib/log.h"
#include "lib/num.h"
#include "lib/peers.h"
#include "web/io/settings.h"
#include "web/page/site.h"

enum {
	/* of a request; no route takes a body, but a small one is read so that the client gets its
	 * 405 */
	BODY_MAX = 64 * 1024,
	BACKLOG = 512,
	SPARE = 32, /* connections, some of which are being closed */
	SHARED = 8,
	SWEEP_SECONDS = 1,
};

struct conn {
	struct conn *next, *prev;
	int fd;
	struct peer peer; /* a front's: the client's, while there is a request for one */
	struct peer front;
	bool is_front;
	bool is_counted;    /* with the address of `peer` */
	bool is_answered;   /* a request is complete, its answer is on the way */
	mono_t waits_since; /* unless is_answered: for a request */
	mono_t deadline;
	uint64_t body; /* bytes of the request's body so far */
	bool shut;
};

struct shared {
	char etag[ETAG_TEXT];
	struct MHD_Response *response;
};

struct httpd {
	struct ev_loop *loop;
	struct acceptor acceptor;
	int listener;
	ev_io io;       /* the library's epoll descriptor */
	ev_timer due;   /* when the library is to run again */
	ev_timer sweep; /* deadlines; runs while there are connections */
	struct MHD_Daemon *daemon;
	httpd_answer *answer;
	void *ctx;
	unsigned max, open; /* connections, without those that were shut down */
	unsigned count;     /* with those */
	struct peers_max per_address;
	struct fronts fronts;
	struct peers *peers;
	int64_t request_ms, response_ms;
	struct conn *conns;
	bool freed; /* a connection ended during this run */
	struct shared shared[SHARED];
	unsigned shared_next;
	struct log_limit library_errors, refusals, evictions;
};

static struct conn *conn_of(struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

static void conn_expect(struct conn *conn, int64_t ms)
{
	conn->deadline.ms = mono_now().ms + ms;
}

static void conn_shut(struct httpd *h, struct conn *conn)
{
	shutdown(conn->fd, SHUT_RDWR);
	conn->shut = true;
	h->open--;
}

static void sweep_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct httpd *h = container_of(timer, struct httpd, sweep);
	mono_t now = mono_now();
	(void)events;
	for (struct conn *conn = h->conns; conn; conn = conn->next)
		if (mono_since(now, conn->deadline) >= 0 && !conn->shut)
			conn_shut(h, conn);
	if (!h->conns)
		ev_timer_stop(loop, timer);
}

/* False: the prefix in *full has as many as it may, and the log says so. */
static bool has_room(struct httpd *h, const struct peer *peer)
{
	char text[PEER_PREFIX_TEXT];
	struct prefix6 full;
	if (peers_has_room(h->peers, &peer->ip, &h->per_address, &full))
		return true;
	log_limited(&h->refusals, 5, 60, LOG_LEVEL_INFO,
		    "%s: refused: %s already has as many connections as one address may have",
		    peer->text, peer_prefix_text(&full, text));
	return false;
}

/* Shuts down the connection that has waited longest for a request. When all are being answered there
 * is none, and further ones wait in the kernel's queue as soon as the spare ones are used. */
static void evict(struct httpd *h)
{
	struct conn *oldest = NULL;
	for (struct conn *conn = h->conns; conn; conn = conn->next)
		if (!conn->is_answered && !conn->shut &&
		    (!oldest || mono_since(conn->waits_since, oldest->waits_since) <= 0))
			oldest = conn;
	if (!oldest)
		return;
	log_limited(&h->evictions, 5, 60, LOG_LEVEL_INFO,
		    "%s: closed: there are %u connections, and of those without a request it waits "
		    "longest",
		    oldest->peer.text, h->open);
	conn_shut(h, oldest);
}

/* The library asks this before it takes a connection. The limits of the address come first: who is
 * beyond them may not cost another's connection. */
static enum MHD_Result may_connect(void *ctx, const struct sockaddr *sa, socklen_t len)
{
	struct httpd *h = ctx;
	struct peer peer = peer_of_sockaddr(sa);
	(void)len;
	if (!fronts_has(&h->fronts, &peer.ip) && !has_room(h, &peer))
		return MHD_NO;
	if (h->open >= h->max)
		evict(h);
	return MHD_YES;
}

static void conn_count(struct httpd *h, struct conn *conn)
{
	conn->is_counted = peers_enter(h->peers, &conn->peer.ip) == 0;
}

static void conn_uncount(struct httpd *h, struct conn *conn)
{
	if (conn->is_counted)
		peers_leave(h->peers, &conn->peer.ip);
	conn->is_counted = false;
}

static void conn_open(struct httpd *h, struct MHD_Connection *c, void **socket_ctx)
{
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_CONNECTION_FD);
	int number = fd ? fd->connect_fd : -1;
	const union MHD_ConnectionInfo *address = MHD_get_connection_info(
		c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct conn *conn = number >= 0 && address ? calloc(1, sizeof(*conn)) : NULL;
	*socket_ctx = conn;
	if (!conn) { /* it would have no deadline */
		if (number >= 0)
			shutdown(number, SHUT_RDWR);
		return;
	}
	conn->fd = number;
	conn->peer = conn->front = peer_of_sockaddr(address->client_addr);
	conn->is_front = fronts_has(&h->fronts, &conn->peer.ip);
	if (!conn->is_front)
		conn_count(h, conn);
	conn->waits_since = mono_now();
	conn_expect(conn, h->request_ms);
	conn->next = h->conns;
	if (conn->next)
		conn->next->prev = conn;
	h->conns = conn;
	h->open++;
	acceptor_hold(&h->acceptor, ++h->count >= h->max + SPARE);
	if (!ev_is_active(&h->sweep))
		ev_timer_again(h->loop, &h->sweep);
}

static void conn_close(struct httpd *h, struct conn *conn)
{
	if (!conn)
		return;
	if (conn->next)
		conn->next->prev = conn->prev;
	if (conn->prev)
		conn->prev->next = conn->next;
	else
		h->conns = conn->next;
	conn_uncount(h, conn);
	if (!conn->shut)
		h->open--;
	acceptor_hold(&h->acceptor, --h->count >= h->max + SPARE);
	h->freed = true;
	free(conn);
}

static void connection_changed(void *ctx, struct MHD_Connection *c, void **socket_ctx,
			       enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		conn_open(ctx, c, socket_ctx);
	} else {
		conn_close(ctx, *socket_ctx);
		*socket_ctx = NULL;
	}
}

static void request_completed(void *ctx, struct MHD_Connection *c, void **request_ctx,
			      enum MHD_RequestTerminationCode why)
{
	struct httpd *h = ctx;
	struct conn *conn = conn_of(c);
	(void)request_ctx;
	(void)why;
	if (!conn)
		return;
	conn->body = 0;
	conn->is_answered = false;
	conn->waits_since = mono_now();
	conn_expect(conn, h->request_ms);
	if (conn->is_front) {
		conn_uncount(h, conn);
		conn->peer = conn->front;
	}
}

/* Takes the answer's body. NULL: no memory. */
static struct MHD_Response *response_make(struct answer *answer)
{
	char scratch[ANSWER_HEADERS_SCRATCH];
	struct header headers[ANSWER_HEADERS];
	void *body = answer->owned;
	struct MHD_Response *response;
	if (body) {
		response = MHD_create_response_from_buffer(answer->len, body,
							   MHD_RESPMEM_MUST_FREE);
	} else {
		/* The library asks for a pointer to non-const, but only reads. */
		memcpy(&body, &answer->body, sizeof(body));
		response = MHD_create_response_from_buffer(answer->len, body,
							   MHD_RESPMEM_PERSISTENT);
	}
	if (!response)
		return NULL;
	answer->owned = NULL;
	size_t n = answer_headers(answer, headers, scratch);
	for (size_t i = 0; i < n; i++) {
		if (MHD_add_response_header(response, headers[i].name, headers[i].value) !=
		    MHD_YES) {
			MHD_destroy_response(response);
			return NULL;
		}
	}
	return response;
}

/* A response to queue once. Destroy it afterwards unless is_shared. NULL: no memory. */
static struct MHD_Response *response_get(struct httpd *h, struct answer *answer)
{
	if (!*answer->etag)
		return response_make(answer);
	struct shared *slot = NULL;
	for (unsigned i = 0; i < SHARED && !slot; i++)
		if (h->shared[i].response && strcmp(h->shared[i].etag, answer->etag) == 0)
			slot = &h->shared[i];
	if (!slot) {
		struct MHD_Response *response = response_make(answer);
		if (!response)
			return NULL;
		slot = &h->shared[h->shared_next++ % SHARED];
		if (slot->response)
			MHD_destroy_response(slot->response);
		slot->response = response;
		memcpy(slot->etag, answer->etag, sizeof(slot->etag));
	}
	return slot->response;
}

static bool is_shared(const struct httpd *h, const struct MHD_Response *response)
{
	for (unsigned i = 0; i < SHARED; i++)
		if (h->shared[i].response == response)
			return true;
	return false;
}

static enum MHD_Result answer_request(struct httpd *h, struct MHD_Connection *c, struct conn *conn,
				      const char *method, const char *path)
{
	struct answer answer = { 0 };
	h->answer(h->ctx, method, path, &answer);
	answer_condition(&answer, MHD_lookup_connection_value(c, MHD_HEADER_KIND,
							      MHD_HTTP_HEADER_IF_NONE_MATCH));
	log_debug("%s %s %s %u %zu", conn->peer.text, method, path, answer.status, answer.len);

	struct MHD_Response *response = response_get(h, &answer);
	enum MHD_Result result = response ? MHD_queue_response(c, answer.status, response) : MHD_NO;
	if (response && !is_shared(h, response))
		MHD_destroy_response(response);
	answer_free(&answer);
	conn->is_answered = true;
	conn_expect(conn, h->response_ms);
	return result;
}

struct forwarded {
	const struct fronts *fronts;
	struct peer client;
	bool is_known;
};

/* The library goes through all fields in their order; a client may have sent some of its own. */
static enum MHD_Result take_forwarded(void *ctx, enum MHD_ValueKind kind, const char *name,
				      const char *value)
{
	struct forwarded *f = ctx;
	(void)kind;
	if (value && strcasecmp(name, "X-Forwarded-For") == 0)
		fronts_forwarded_for(f->fronts, value, &f->client, &f->is_known);
	return MHD_YES;
}

/* Finds out for whom a front asks. False: that one has as many requests under way as it may. */
static bool take_client(struct httpd *h, struct MHD_Connection *c, struct conn *conn)
{
	struct forwarded f = { .fronts = &h->fronts };
	MHD_get_connection_values(c, MHD_HEADER_KIND, take_forwarded, &f);
	if (!f.is_known)
		return true;
	if (!has_room(h, &f.client))
		return false;
	conn->peer = f.client;
	conn_count(h, conn);
	return true;
}

static enum MHD_Result answer_too_many(struct httpd *h, struct MHD_Connection *c, struct conn *conn)
{
	static char text[] = "Too many connections from your address; please try again.\n";
	struct MHD_Response *response = MHD_create_response_from_buffer(sizeof(text) - 1, text,
									MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result = MHD_NO;
	if (!response)
		return MHD_NO;
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
				    "text/plain; charset=utf-8") == MHD_YES &&
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") ==
		    MHD_YES &&
	    MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "10") == MHD_YES)
		result = MHD_queue_response(c, MHD_HTTP_TOO_MANY_REQUESTS, response);
	MHD_destroy_response(response);
	conn->is_answered = true;
	conn_expect(conn, h->response_ms);
	return result;
}

/* Whether the request announces a body of more than BODY_MAX. Without a length it is counted as it
 * arrives. */
static bool is_too_large(struct MHD_Connection *c)
{
	const char *text = MHD_lookup_connection_value(c, MHD_HEADER_KIND,
						       MHD_HTTP_HEADER_CONTENT_LENGTH);
	uint64_t length;
	return text && num_parse_u64(text, strlen(text), 0, BODY_MAX, &length) != 0;
}

/* The library calls this once for the headers, then for each piece of the body, then once for its
 * end. */
static enum MHD_Result request_progressed(void *ctx, struct MHD_Connection *c, const char *path,
					  const char *method, const char *version, const char *data,
					  size_t *data_size, void **request_ctx)
{
	struct httpd *h = ctx;
	struct conn *conn = conn_of(c);
	(void)version;
	(void)data;
	if (!conn)
		return MHD_NO;
	if (!*request_ctx) {
		*request_ctx = conn;
		if (conn->is_front && !take_client(h, c, conn))
			return answer_too_many(h, c, conn);
		return is_too_large(c) ? answer_request(h, c, conn, method, path) : MHD_YES;
	}
	if (*data_size == 0)
		return answer_request(h, c, conn, method, path);
	conn->body += *data_size;
	*data_size = 0;
	return conn->body <= BODY_MAX ? MHD_YES : MHD_NO;
}

/* Paths are compared as they were sent; none of the routes needs an escape. */
static size_t keep_escapes(void *ctx, struct MHD_Connection *c, char *text)
{
	(void)ctx;
	(void)c;
	return strlen(text);
}

static void log_library_error(void *ctx, const char *fmt, va_list ap) FORMAT(2, 0);
static void log_library_error(void *ctx, const char *fmt, va_list ap)
{
	struct httpd *h = ctx;
	char text[256];
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	log_limited(&h->library_errors, 10, 60, LOG_LEVEL_DEBUG, "libmicrohttpd: %s", text);
}

/* Lets the library run, and sets the timer for the next time: at once when a connection ended,
 * whose descriptor only the next run closes. */
static void run(struct httpd *h)
{
	MHD_UNSIGNED_LONG_LONG ms = 0;
	h->freed = false;
	MHD_run(h->daemon);
	ev_timer_stop(h->loop, &h->due);
	if (MHD_get_timeout(h->daemon, &ms) == MHD_YES || h->freed) {
		if (h->freed)
			ms = 0;
		ev_timer_set(&h->due, (double)ms / 1000.0, 0.0);
		ev_timer_start(h->loop, &h->due);
	}
}

static void io_ready(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	(void)events;
	run(container_of(io, struct httpd, io));
}

static void run_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	run(container_of(timer, struct httpd, due));
}

/* The library closes the descriptor, whatever happens. */
static void accepted(void *ctx, int fd, const struct sockaddr_storage *from, socklen_t len)
{
	struct httpd *h = ctx;

	(void)MHD_add_connection(h->daemon, fd, (const struct sockaddr *)from, len);
	ev_timer_stop(h->loop, &h->due);
	ev_timer_set(&h->due, 0., 0.);
	ev_timer_start(h->loop, &h->due);
}

static bool start(struct httpd *h, const struct settings *s)
{
	h->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET, 0, may_connect, h,
		request_progressed, h, MHD_OPTION_EXTERNAL_LOGGER, log_library_error, h,
		MHD_OPTION_CONNECTION_LIMIT, h->max + SPARE, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)s->request_size, MHD_OPTION_NOTIFY_CONNECTION, connection_changed, h,
		MHD_OPTION_NOTIFY_COMPLETED, request_completed, h, MHD_OPTION_UNESCAPE_CALLBACK,
		keep_escapes, h, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!h->daemon)
		return false;
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return false;
	ev_io_init(&h->io, io_ready, info->epoll_fd, EV_READ);
	ev_io_start(h->loop, &h->io);
	acceptor_start(&h->acceptor, h->loop, h->listener, "the HTTP server", accepted, h);
	return true;
}

struct httpd *httpd_create(struct ev_loop *loop, const struct settings *settings,
			   httpd_answer *answer, void *ctx)
{
	struct httpd *h = calloc(1, sizeof(*h));
	char why[LISTEN_WHY] = "no memory for the HTTP server";
	int listener = h ? listen_open(&settings->listen, BACKLOG, why) : -1;
	if (listener < 0) {
		log_error("%s", why);
		free(h);
		return NULL;
	}
	h->listener = listener;
	h->peers = peers_create();
	if (!h->peers) {
		log_error("no memory for the HTTP server");
		close(listener);
		free(h);
		return NULL;
	}
	h->loop = loop;
	h->max = (unsigned)settings->connections;
	h->answer = answer;
	h->ctx = ctx;
	ev_init(&h->io, io_ready);
	ev_init(&h->due, run_due);
	ev_init(&h->sweep, sweep_due);
	h->sweep.repeat = SWEEP_SECONDS;
	httpd_reload(h, settings);
	if (!start(h, settings)) {
		log_error("libmicrohttpd cannot start the HTTP server");
		httpd_free(h);
		return NULL;
	}
	return h;
}

void httpd_free(struct httpd *h)
{
	if (!h)
		return;
	ev_io_stop(h->loop, &h->io);
	ev_timer_stop(h->loop, &h->due);
	ev_timer_stop(h->loop, &h->sweep);
	if (h->daemon)
		MHD_stop_daemon(h->daemon); /* which may let the acceptor go on */
	acceptor_stop(&h->acceptor);
	close(h->listener);
	for (unsigned i = 0; i < SHARED; i++)
		if (h->shared[i].response)
			MHD_destroy_response(h->shared[i].response);
	peers_free(h->peers);
	free(h);
}

void httpd_reload(struct httpd *h, const struct settings *settings)
{
	h->per_address = (struct peers_max){ .address = (unsigned)settings->connections_per_address,
					     .net56 = (unsigned)settings->connections_per_56,
					     .net48 = (unsigned)settings->connections_per_48 };
	h->fronts = settings->fronts;
	h->request_ms = settings->request_timeout * 1000;
	h->response_ms = settings->response_timeout * 1000;
}
