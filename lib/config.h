/*
 * INI configuration by table (with libinih, named in config.c only). One row for each key has its
 * field, type, range, default and one line of help; loading, checking and dumping walk the same
 * table. The result is const after load; a reload builds a new one. A value ends with its line (no
 * continuation lines, no comments after it); lines that begin with '#' or ';' are comments. Only
 * the main thread may load.
 */
#ifndef LIB_CONFIG_H
#define LIB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cc.h"

enum config_type {
	CONFIG_TEXT, /* char *, owned by the struct; min..max bound its length */
	/* like CONFIG_TEXT (a conninfo, say); dumped as "(set)" or "(not set)", never quoted in an
	 * error */
	CONFIG_SECRET,
	CONFIG_NUMBER,        /* int64_t */
	CONFIG_BOOL,          /* bool: yes/no, true/false, on/off, 1/0 */
	CONFIG_IP4,           /* struct ip4 */
	CONFIG_IP6,           /* struct ip6 */
	CONFIG_LISTEN,        /* struct config_listen: "a.b.c.d:port" or "[v6]:port" */
	CONFIG_LISTEN_OR_OFF, /* the same, or "off", which leaves the host empty */
	CONFIG_CHOICE,        /* int64_t: index into `choices` */
};

struct config_listen {
	char host[46]; /* numeric, NUL-terminated */
	uint16_t port;
	bool is_ip6;
};

struct config_key {
	const char *section, *name;
	enum config_type type;
	size_t offset; /* of the field in the caller's struct */
	int64_t min, max;
	const char *const *choices; /* CONFIG_CHOICE: NULL-terminated names */
	/* Default as text. NULL: the key is required. "" for any type but a text: the key may be
	 * absent, and then the field is zero. */
	const char *def;
	bool live;        /* takes effect at a reload (SIGHUP) without a restart */
	const char *help; /* one line, for --dump-config and the manual */
};

enum { CONFIG_ERROR_TEXT = 512 };

/* Sets the fields of `out`, which the caller has zeroed, from the defaults and the file. 0, or
 * -ERR_SYS (unreadable file), -ERR_FORMAT, -ERR_RANGE, -ERR_UNKNOWN (section or key), -ERR_EXISTS
 * (key given twice), -ERR_NOT_FOUND (key missing), -ERR_NOMEM, with "<path>:<line>: <reason>" in
 * `error` and nothing in `out` to free. */
int config_load(const char *path, const struct config_key *keys, size_t n, void *out,
		char error[static CONFIG_ERROR_TEXT]) NONNULL MUSTCHECK;

/* The same from an open stream, which is read to its end and stays open; `path` is its name in
 * errors. */
int config_read(FILE *file, const char *path, const struct config_key *keys, size_t n, void *out,
		char error[static CONFIG_ERROR_TEXT]) NONNULL MUSTCHECK;

/* Writes every key with its value, in the order of the table, help as comments. Secrets are written
 * as "(set)" or, in a comment, "(not set)"; with those filled in, the output loads again. */
void config_dump(FILE *f, const struct config_key *keys, size_t n, const void *conf) NONNULL;

/* Frees the texts. */
void config_free(const struct config_key *keys, size_t n, void *conf) NONNULL;

#endif
