/* A listening TCP socket, and one plain sentence when there cannot be one. */
#ifndef WEB_IO_LISTEN_H
#define WEB_IO_LISTEN_H

#include "lib/cc.h"

struct config_listen;

/* Non-blocking, closed on exec. -1: it said why in the log. */
int listen_open(const struct config_listen *at) NONNULL MUSTCHECK;

#endif
