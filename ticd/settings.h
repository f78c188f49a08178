/* The settings of ticd.conf, and which of them a reload changes. */
#ifndef TICD_SETTINGS_H
#define TICD_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cc.h"
#include "lib/config.h"
#include "lib/fronts.h"

struct settings {
	/* [ticd] */
	struct config_listen listen;
	char *service, *url; /* url without a final slash */
	char *fronts_text;
	struct fronts fronts; /* the same */
	int64_t log_level;    /* enum log_level */
	/* [database] */
	char *conninfo;
	int64_t db_connections, query_timeout, connect_timeout;
	/* [tls] */
	char *certificate, *key; /* "" for none */
	bool old_versions;
	/* [limits] */
	int64_t connections, connections_per_address, connections_per_56, connections_per_48;
	int64_t login_timeout, idle_timeout, write_timeout;
	/* [isk] */
	bool daily;
};

/* Reads the file into a new struct; NULL with "<file>:<line>: <reason>" in `error`. Free with
 * settings_free. */
struct settings *settings_load(const char *path, char error[static CONFIG_ERROR_TEXT])
	NONNULL MUSTCHECK;
void settings_free(struct settings *settings); /* NULL is fine */
void settings_dump(FILE *f, const struct settings *settings) NONNULL;

/* Calls `changed` with "<section>.<name>" for each setting that differs and takes effect only after
 * a restart. */
void settings_differences(const struct settings *old, const struct settings *fresh,
			  void (*changed)(const char *key)) NONNULL;

#endif
