/* ticd put together: settings, database, TLS, door and timers on one loop, and the signals that
 * change or end it. */
#ifndef TICD_IO_DAEMON_H
#define TICD_IO_DAEMON_H

#include "lib/cc.h"

struct settings;

/* Is the certificate usable? Writes "<reason>" to standard error if not. 0 or 1, as an exit status.
 * For --check-config. */
int daemon_check(const struct settings *settings) NONNULL;

/* Serves until SIGTERM or SIGINT. Takes the settings; reads `path` again at SIGHUP. 0: stopped as
 * asked; 1: it could not start. */
int daemon_run(const char *path, struct settings *settings) NONNULL MUSTCHECK;

#endif
