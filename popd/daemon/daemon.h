/*
 * popd as a whole: builds every part from the settings, wires them together on the control thread's
 * loop, and takes them down again. The order of the start is the promise of DESIGN.md: the snapshot
 * first, then the workers forward, then everything that may have to wait for somebody.
 */
#ifndef POPD_DAEMON_DAEMON_H
#define POPD_DAEMON_DAEMON_H

#include "lib/cc.h"
#include "popd/settings.h"

struct popd;

/* Runs until a signal ends it. Takes `settings`; `path` is the configuration file, for SIGHUP.
 * Returns the exit status: 0, or 1 after a sentence in the log. */
int daemon_run(struct settings *settings, const char *path) NONNULL;

#endif
