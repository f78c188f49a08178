/*
 * What `migrate` has to do, from what this program brings and what the database records. Pure.
 * Schema files: migrations/NNNN_subject.sql are run once each, in order; roles.sql and api/ (the
 * doors) are run again whenever one changed.
 */
#ifndef TICD_CTL_MIGRATE_PLAN_H
#define TICD_CTL_MIGRATE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "ticd/ctl/fault.h"
#include "ticd/ctl/rows.h"
#include "ticd/ctl/schema_files.h"

enum { MIGRATE_NAME = 64 };

/* The number and subject of "migrations/0003_ledger.sql": 3 and "ledger". -ERR_FORMAT for any other
 * path. */
int migrate_name(const char *path, uint32_t *number, char subject[static MIGRATE_NAME])
	NONNULL MUSTCHECK;

/* Hex SHA-256 of one file, and of all that are not migrations (paths included). false: no memory.
 */
bool migrate_checksum(const struct schema_file *file, char out[static DIGEST_MAX_HEX])
	NONNULL MUSTCHECK;
bool migrate_doors_checksum(const struct schema_file *files, char out[static DIGEST_MAX_HEX])
	NONNULL MUSTCHECK;

/* Judges what the database records, `applied` (columns number, name, checksum), against `files`
 * (ended by a row without a path). 0: whatever of `files` is not in `applied` is to be run.
 * -ERR_REFUSED with a sentence: the database has a migration that this program does not know (it is
 * newer), or one that was changed since it was run. *newest becomes the highest number known here.
 */
int migrate_judge(const struct schema_file *files, const struct rows *applied, uint32_t *newest,
		  struct fault *fault) NONNULL MUSTCHECK;

/* True when `applied` holds migration `number`. */
bool migrate_is_applied(const struct rows *applied, uint32_t number) NONNULL;

#endif
