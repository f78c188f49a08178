/*
 * popd as a whole: builds every part from the settings, runs them on the control thread's loop, and
 * frees them again. The order of the start matters: the snapshot first, then the workers forward,
 * then everything that may have to wait for others.
 */
#ifndef POPD_DAEMON_DAEMON_H
#define POPD_DAEMON_DAEMON_H

#include "lib/cc.h"
#include "popd/settings.h"

/* Runs until a signal ends it. `settings` are changed by reloads and stay the caller's; `path` is
 * the configuration file. Returns the exit status: 0, or 1 after a line in the log. */
int daemon_run(struct settings *settings, const char *path) NONNULL;

#endif
