/*
 * webd's configuration file as a struct. The table in settings.c is the one list of keys, in the
 * order of the manual. Const after load; a reload (SIGHUP) builds a new one and swaps.
 */
#ifndef WEB_IO_SETTINGS_H
#define WEB_IO_SETTINGS_H

#include <stdint.h>
#include <stdio.h>

#include "lib/cc.h"
#include "lib/config.h"
#include "lib/fronts.h"

struct settings {
	struct config_listen listen;
	char *url; /* without a final slash */
	char *title;
	char *fronts_text;
	struct fronts fronts; /* the same */
	int64_t log_level;    /* enum log_level */
	char *conninfo;
	int64_t connect_timeout, query_timeout; /* seconds */
	/* seconds between two reads of the database, with and without visitors */
	int64_t refresh, idle_refresh;
	int64_t connections, connections_per_address, connections_per_56, connections_per_48;
	int64_t request_size;                      /* bytes */
	int64_t request_timeout, response_timeout; /* seconds */
};

/* 0, or a negative enum err with "<path>:<line>: <reason>" in `error`. `out` need not be
 * initialised; free it only after success. */
int settings_load(const char *path, struct settings *out, char error[static CONFIG_ERROR_TEXT])
	NONNULL MUSTCHECK;
void settings_dump(FILE *f, const struct settings *s) NONNULL;
void settings_free(struct settings *s) NONNULL;

/* Makes `fresh` the settings in force. Keys that need a restart keep their old value, and a log
 * line names each that has changed. */
void settings_swap(struct settings *s, struct settings *fresh) NONNULL;

#endif
