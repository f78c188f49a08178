/*
 * The command `migrate`: one transaction under an advisory lock, so that any number of them at once
 * do the work once, and a failure leaves the database as it was.
 *
 * Schema files: migrations/NNNN_subject.sql are run once each, in order; roles.sql and api/ (the
 * functions that programs may call) are run again whenever one of them changed, roles.sql at every
 * run.
 */
#ifndef TICD_CTL_MIGRATE_H
#define TICD_CTL_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "ticd/ctl/answer.h"

struct pgctl;

/* A command_run (commands.h) without parameters. The row: message, schema (number), applied (how
 * many migrations), api (re-created?). */
int migrate_run(struct pgctl *db, const char *const *values, struct rows *out, struct fault *fault)
	NONNULL_ARGS(1, 3, 4) MUSTCHECK;

/* The plan: what is to be done, from the files of this program and the record of the database. */

struct schema_file {
	/* below schema/: "migrations/0001_base.sql", "roles.sql", "api/tic.sql" */
	const char *path;
	const char *text; /* NUL-terminated */
	size_t len;       /* without the NUL */
};

/* The SQL of the schema, embedded at build time by schema/embed.sh: migrations by number, then
 * roles.sql, then api/ by name. Ends with a row whose path is NULL. */
extern const struct schema_file schema_files[];

enum { MIGRATE_NAME = 64 };

/* The number and subject of "migrations/0003_ledger.sql": 3 and "ledger". -ERR_FORMAT for any other
 * path. */
int migrate_name(const char *path, uint32_t *number, char subject[static MIGRATE_NAME])
	NONNULL MUSTCHECK;

/* Hex SHA-256 of one file, and of all that are not migrations (paths included). False: out of
 * memory. */
bool migrate_checksum(const struct schema_file *file, char out[static DIGEST_MAX_HEX])
	NONNULL MUSTCHECK;
bool migrate_api_checksum(const struct schema_file *files, char out[static DIGEST_MAX_HEX])
	NONNULL MUSTCHECK;

/* Compares the database's record, `applied` (columns number, name, checksum), with `files` (ended
 * by a row without a path). 0: every migration of `files` that is not in `applied` is to be run.
 * -ERR_REFUSED with a sentence: the database has a migration that this program does not know (the
 * database is newer), or one that was changed after it was run. *newest: the highest number in
 * `files`. */
int migrate_judge(const struct schema_file *files, const struct rows *applied, uint32_t *newest,
		  struct fault *fault) NONNULL MUSTCHECK;

/* True when `applied` holds migration `number`. */
bool migrate_is_applied(const struct rows *applied, uint32_t number) NONNULL;

#endif
