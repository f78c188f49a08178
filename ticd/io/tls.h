/*
 * TLS on a non-blocking socket, always with forward secrecy; the only place in ticd that names
 * OpenSSL. There are no session tickets and no session cache: the stock client takes a ticket for an end of file. A connection
 * keeps the certificate it began with; a new one is used for the next connections.
 */
#ifndef TICD_IO_TLS_H
#define TICD_IO_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

struct tls_server; /* certificate, key and rules */
struct tls;        /* one connection */

enum tls_result {
	TLS_OK,
	TLS_WANT_READ,  /* call again when the socket can be read */
	TLS_WANT_WRITE, /* call again, with the same bytes, when it can be written */
	TLS_CLOSED,     /* the peer has closed */
	TLS_FAILED,     /* broken; tls_error says why */
};

enum { TLS_ERROR_TEXT = 256 };

/* NULL, with the reason in `error`, when the certificate or the key cannot be used. */
struct tls_server *tls_server_create(const char *certificate, const char *key, bool old_versions,
				     char error[static TLS_ERROR_TEXT]) NONNULL MUSTCHECK;
void tls_server_free(struct tls_server *server); /* NULL is fine; connections live on */

/* The socket stays the caller's. NULL: out of memory. */
struct tls *tls_create(struct tls_server *server, int fd) NONNULL;
void tls_free(struct tls *tls); /* NULL is fine */

enum tls_result tls_handshake(struct tls *tls) NONNULL MUSTCHECK;
enum tls_result tls_read(struct tls *tls, void *buf, size_t size, size_t *got) NONNULL MUSTCHECK;
/* Writes all of it as one record or nothing; `len` is at least 1. */
enum tls_result tls_write(struct tls *tls, const void *buf, size_t len) NONNULL MUSTCHECK;
/* Sends the closing alert once, without waiting for the peer's. */
void tls_shutdown(struct tls *tls) NONNULL;

/* Decrypted bytes wait for tls_read, though the socket may be silent. */
bool tls_has_pending(struct tls *tls) NONNULL;
/* Why the last call returned TLS_FAILED. */
const char *tls_error(const struct tls *tls) NONNULL;

#endif
