/* A listening TCP socket, or a sentence that says why there is none. */
#ifndef LIB_IO_LISTEN_H
#define LIB_IO_LISTEN_H

#include "lib/cc.h"
#include "lib/config.h"

enum { LISTEN_WHY = 200, LISTEN_TEXT = 56 };

/* The socket: non-blocking, closed on exec; [::] takes IPv4 too. -1: `why` is a sentence. */
int listen_open(const struct config_listen *at, int backlog, char why[static LISTEN_WHY])
	NONNULL MUSTCHECK;

/* "192.0.2.1:80" or "[2001:db8::1]:80", into the caller's buffer, which is returned. */
const char *listen_text(const struct config_listen *at, char out[static LISTEN_TEXT]) NONNULL;

#endif
