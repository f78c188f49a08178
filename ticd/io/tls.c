#include "ticd/io/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_server {
	SSL_CTX *ctx;
};

struct tls {
	SSL *ssl;
	char error[TLS_ERROR_TEXT];
};

static void take_error(char error[static TLS_ERROR_TEXT], const char *what)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

	snprintf(error, TLS_ERROR_TEXT, "%s%s%s", what, what[0] != '\0' ? ": " : "",
		 reason ? reason : "unknown reason");
	ERR_clear_error();
}

/* OpenSSL would ask for a passphrase on the terminal, and a daemon has none. */
static int no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf, (void)size, (void)rwflag, (void)arg;
	return 0;
}

/* Without forward secrecy whoever gets the key later reads what was recorded before: tunnels' secrets.
 * So the client must take part in a key exchange, and none of RSA, PSK or SRP will do. Old clients know
 * DHE but not ECDHE; nobody else needs that, and it costs more. */
#define FORWARD_SECRET "!kRSA:!kPSK:!kRSAPSK:!kDHEPSK:!kECDHEPSK:!kSRP:!aNULL:!eNULL"

static bool set_ciphers(SSL_CTX *ctx, bool old_versions)
{
	if (!old_versions)
		return SSL_CTX_set_cipher_list(ctx, "DEFAULT:!kDHE:" FORWARD_SECRET) == 1;
	return SSL_CTX_set_cipher_list(ctx, "DEFAULT:" FORWARD_SECRET ":@SECLEVEL=0") == 1 &&
	       SSL_CTX_set_dh_auto(ctx, 1) == 1;
}

static SSL_CTX *context_create(bool old_versions)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx)
		return NULL;
	SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
					 SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_set_num_tickets(ctx, 0) == 1 &&
	    SSL_CTX_set_min_proto_version(ctx, old_versions ? TLS1_VERSION : TLS1_2_VERSION) == 1 &&
	    set_ciphers(ctx, old_versions))
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

struct tls_server *tls_server_create(const char *certificate, const char *key, bool old_versions,
				     char error[static TLS_ERROR_TEXT])
{
	struct tls_server *server = calloc(1, sizeof(*server));

	ERR_clear_error();
	if (!server || !(server->ctx = context_create(old_versions)))
		take_error(error, "TLS");
	else if (SSL_CTX_use_certificate_chain_file(server->ctx, certificate) != 1)
		take_error(error, certificate);
	else if (SSL_CTX_use_PrivateKey_file(server->ctx, key, SSL_FILETYPE_PEM) != 1 ||
		 SSL_CTX_check_private_key(server->ctx) != 1)
		take_error(error, key);
	else
		return server;
	tls_server_free(server);
	return NULL;
}

void tls_server_free(struct tls_server *server)
{
	if (!server)
		return;
	SSL_CTX_free(server->ctx);
	free(server);
}

struct tls *tls_create(struct tls_server *server, int fd)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (tls && (tls->ssl = SSL_new(server->ctx)) && SSL_set_fd(tls->ssl, fd) == 1) {
		SSL_set_accept_state(tls->ssl);
		return tls;
	}
	ERR_clear_error();
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	SSL_free(tls->ssl);
	free(tls);
}

/* The result for the return value `n` of an SSL_ function. */
static enum tls_result outcome(struct tls *tls, int n)
{
	switch (SSL_get_error(tls->ssl, n)) {
	case SSL_ERROR_NONE:
		return TLS_OK;
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return TLS_CLOSED;
	case SSL_ERROR_SYSCALL:
		if (errno == 0 || errno == ECONNRESET || errno == EPIPE)
			return TLS_CLOSED;
		snprintf(tls->error, sizeof(tls->error), "%s", strerror(errno));
		ERR_clear_error();
		return TLS_FAILED;
	default:
		take_error(tls->error, "");
		return TLS_FAILED;
	}
}

enum tls_result tls_handshake(struct tls *tls)
{
	ERR_clear_error();
	errno = 0;
	return outcome(tls, SSL_do_handshake(tls->ssl));
}

enum tls_result tls_read(struct tls *tls, void *buf, size_t size, size_t *got)
{
	ERR_clear_error();
	errno = 0;
	*got = 0;
	return outcome(tls, SSL_read_ex(tls->ssl, buf, size, got));
}

enum tls_result tls_write(struct tls *tls, const void *buf, size_t len)
{
	size_t put;

	ERR_clear_error();
	errno = 0;
	return outcome(tls, SSL_write_ex(tls->ssl, buf, len, &put));
}

void tls_shutdown(struct tls *tls)
{
	ERR_clear_error();
	if (SSL_is_init_finished(tls->ssl))
		(void)SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

bool tls_has_pending(struct tls *tls)
{
	return SSL_pending(tls->ssl) > 0;
}

const char *tls_error(const struct tls *tls)
{
	return tls->error;
}
