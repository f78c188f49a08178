#include "ticd/io/channel.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ticd/io/tls.h"

void channel_init(struct channel *ch, int fd)
{
	*ch = (struct channel){ .fd = fd };
}

void channel_free(struct channel *ch)
{
	tls_free(ch->tls);
	close(ch->fd);
}

/* What a TLS function's result means for the channel; false: the connection is gone. */
static bool tls_outcome(struct channel *ch, enum tls_result result)
{
	switch (result) {
	case TLS_OK:
	case TLS_WANT_READ:
		return true;
	case TLS_WANT_WRITE:
		ch->wants_write = true;
		return true;
	case TLS_CLOSED:
		ch->is_eof = true;
		return false;
	case TLS_FAILED:
		break;
	}
	ch->error = tls_error(ch->tls);
	return false;
}

static bool read_clear(struct channel *ch, char *to, size_t size, size_t *got)
{
	ssize_t n = recv(ch->fd, to, size, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	ch->is_eof = n == 0;
	*got = (size_t)n;
	return true;
}

bool channel_read(struct channel *ch, char *to, size_t size, size_t *got)
{
	*got = 0;
	if (!ch->is_encrypted)
		return read_clear(ch, to, size, got);
	return tls_outcome(ch, tls_read(ch->tls, to, size, got)) || ch->is_eof;
}

/* True when the peer has had the time to read all that was sent, so that more may go. */
static bool is_quiet(struct channel *ch)
{
	int unacked = 0;

	if (ioctl(ch->fd, SIOCOUTQ, &unacked) != 0)
		unacked = 0;
	ch->wait_ms = out_pace_wait(&ch->pace, mono_now(), (size_t)unacked);
	return ch->wait_ms == 0;
}

static bool send_clear(struct channel *ch, struct out *out, size_t *sent)
{
	while (out_len(out) > 0) {
		size_t len = out_pace_allows(&ch->pace, out_data(out), out_len(out));
		ssize_t n;

		if (len == 0 && is_quiet(ch))
			continue;
		if (len == 0)
			return true;
		n = send(ch->fd, out_data(out), len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ch->wants_write = errno == EAGAIN;
			return errno == EAGAIN;
		}
		out_pace_sent(&ch->pace, (size_t)n);
		out_drop(out, (size_t)n);
		*sent += (size_t)n;
	}
	return true;
}

static bool send_tls(struct channel *ch, struct out *out, size_t *sent)
{
	while (out_len(out) > 0) {
		const char *end = memchr(out_data(out), '\n', out_len(out));
		size_t len = end ? (size_t)(end - out_data(out)) + 1 : out_len(out);
		enum tls_result result = tls_write(ch->tls, out_data(out), len);

		if (result != TLS_OK)
			return tls_outcome(ch, result);
		out_drop(out, len);
		*sent += len;
	}
	return true;
}

bool channel_send(struct channel *ch, struct out *out, size_t *sent)
{
	*sent = 0;
	ch->wants_write = false;
	ch->wait_ms = 0;
	return ch->is_encrypted ? send_tls(ch, out, sent) : send_clear(ch, out, sent);
}

bool channel_has_input(const struct channel *ch)
{
	char byte;

	return recv(ch->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

bool channel_has_ended(const struct channel *ch)
{
	struct pollfd fd = { .fd = ch->fd, .events = POLLRDHUP };

	return poll(&fd, 1, 0) > 0;
}

/* Without it the socket would stay readable and the loop would spin until the rest comes. */
static bool set_low_water(struct channel *ch, size_t bytes)
{
	int n = (int)bytes;

	return setsockopt(ch->fd, SOL_SOCKET, SO_RCVLOWAT, &n, sizeof(n)) == 0;
}

bool channel_peek(struct channel *ch, void *to, size_t size, size_t *got)
{
	ssize_t n = recv(ch->fd, to, size, MSG_PEEK);

	*got = n > 0 ? (size_t)n : 0;
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	ch->is_eof = n == 0;
	return n > 0 && set_low_water(ch, *got + 1);
}

bool channel_take(struct channel *ch, size_t n)
{
	char discarded[256];

	while (n > 0) {
		ssize_t took = recv(ch->fd, discarded,
				    n < sizeof(discarded) ? n : sizeof(discarded), 0);

		if (took <= 0)
			return false;
		n -= (size_t)took;
	}
	return set_low_water(ch, 1);
}

bool channel_begin_tls(struct channel *ch, struct tls_server *server)
{
	ch->tls = tls_create(server, ch->fd);
	return ch->tls != NULL;
}

bool channel_shake_hands(struct channel *ch)
{
	enum tls_result result = tls_handshake(ch->tls);

	ch->wants_write = false;
	ch->is_encrypted = result == TLS_OK;
	return tls_outcome(ch, result);
}

bool channel_has_pending(const struct channel *ch)
{
	return ch->is_encrypted && tls_has_pending(ch->tls);
}

void channel_finish(struct channel *ch)
{
	if (ch->is_encrypted)
		tls_shutdown(ch->tls);
	shutdown(ch->fd, SHUT_WR);
	tls_free(ch->tls);
	ch->tls = NULL;
	ch->is_encrypted = ch->wants_write = false;
	ch->wait_ms = 0;
}

bool channel_discard(struct channel *ch, size_t *got)
{
	char discarded[4096];
	ssize_t n = recv(ch->fd, discarded, sizeof(discarded), 0);

	*got = n > 0 ? (size_t)n : 0;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}
