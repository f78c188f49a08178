/*
 * Bytes through one client's socket, in clear text or in TLS, without waiting. Clear text is paced
 * (ticd/core/out.h); in TLS each line is a record of its own. Functions that return bool say
 * whether the connection still lives.
 */
#ifndef TICD_IO_CHANNEL_H
#define TICD_IO_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"
#include "ticd/core/out.h"

struct tls;
struct tls_server;

struct channel {
	int fd;
	struct tls *tls;   /* NULL: clear text */
	bool is_encrypted; /* the handshake is done: `tls` carries the bytes */
	struct out_pace pace;
	bool wants_write; /* output, or TLS itself, waits for the socket to take more */
	int wait_ms;      /* output waits this long for the peer to read; 0: no wait */
	bool is_eof;      /* the peer will send no more */
	/* why a function returned false, for the log; NULL: the peer closed */
	const char *error;
};

/* Takes the non-blocking socket. */
void channel_init(struct channel *ch, int fd) NONNULL;
void channel_free(struct channel *ch) NONNULL;

/* Reads at most `size` bytes (at least 1); *got may be 0. */
bool channel_read(struct channel *ch, char *to, size_t size, size_t *got) NONNULL MUSTCHECK;

/* Sends what may go now and drops it from `out`. Afterwards `out` is empty, or wants_write or
 * wait_ms say what it waits for. *sent: bytes. */
bool channel_send(struct channel *ch, struct out *out, size_t *sent) NONNULL MUSTCHECK;

/* True when the socket holds bytes that were not read yet. */
bool channel_has_input(const struct channel *ch) NONNULL;

/* True when the other end sends nothing any more; all that it sent is in the socket. */
bool channel_has_ended(const struct channel *ch) NONNULL;

/* Copies the first bytes that were not read yet and leaves them there; *got may be 0. The socket is
 * readable again when there are more of them, or when the other end has ended. */
bool channel_peek(struct channel *ch, void *to, size_t size, size_t *got) NONNULL MUSTCHECK;
/* Reads and discards `n` bytes that channel_peek has shown. */
bool channel_take(struct channel *ch, size_t n) NONNULL MUSTCHECK;

/* Begins TLS (false: out of memory, still in clear text); then shake hands until is_encrypted. */
bool channel_begin_tls(struct channel *ch, struct tls_server *server) NONNULL MUSTCHECK;
bool channel_shake_hands(struct channel *ch) NONNULL MUSTCHECK;
/* Decrypted bytes wait to be read, though the socket may be silent. */
bool channel_has_pending(const struct channel *ch) NONNULL;

/* Ends the output (a TLS alert, then FIN) and TLS. Afterwards only channel_discard may follow. */
void channel_finish(struct channel *ch) NONNULL;
/* Reads and discards; false when the peer has closed or the connection broke. */
bool channel_discard(struct channel *ch, size_t *got) NONNULL MUSTCHECK;

#endif
