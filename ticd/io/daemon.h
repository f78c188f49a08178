/* ticd's parts joined on one loop: settings, database, TLS, listener, daily job, and the signals
 * that reload and stop it. */
#ifndef TICD_IO_DAEMON_H
#define TICD_IO_DAEMON_H

#include "lib/cc.h"

struct settings;

/* Checks the certificate for --check-config; writes the reason to standard error when it cannot be
 * used. 0 or 1, as an exit status. */
int daemon_check(const struct settings *settings) NONNULL;

/* Serves until SIGTERM or SIGINT. Takes the settings; reads `path` again at SIGHUP. 0: stopped by a
 * signal; 1: it could not start, and the reason is in the log. */
int daemon_run(const char *path, struct settings *settings) NONNULL MUSTCHECK;

#endif
