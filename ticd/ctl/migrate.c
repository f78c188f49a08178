/*
 * The record of what was done lies with what it is about: broker.migration has a row a migration,
 * and the checksum of roles.sql and api/ is the comment on schema api, so that it goes when that
 * schema goes.
 */
#include "ticd/ctl/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/num.h"
#include "lib/wr.h"
#include "ticd/ctl/pgctl.h"

/* The plan */

enum { COLUMN_NUMBER, COLUMN_NAME, COLUMN_CHECKSUM };

static const char folder[] = "migrations/", suffix[] = ".sql";

int migrate_name(const char *path, uint32_t *number, char subject[static MIGRATE_NAME])
{
	const char *digits = path + strlen(folder), *name = digits + 5; /* NNNN_ */
	uint64_t v;

	if (strncmp(path, folder, strlen(folder)) != 0 || strlen(digits) < 5 || digits[4] != '_' ||
	    num_parse_u64(digits, 4, 1, 9999, &v))
		return -ERR_FORMAT;
	size_t len = strlen(name), end = strlen(suffix);
	if (len <= end || len - end >= MIGRATE_NAME || strcmp(name + len - end, suffix) != 0)
		return -ERR_FORMAT;
	*number = (uint32_t)v;
	snprintf(subject, MIGRATE_NAME, "%.*s", (int)(len - end), name);
	return 0;
}

static bool checksum_parts(const struct digest_part *parts, size_t n,
			   char out[static DIGEST_MAX_HEX])
{
	uint8_t sum[DIGEST_SHA256_LEN];
	struct digest_ctx *ctx = digest_ctx_create();
	bool is_made = ctx && digest_parts(ctx, DIGEST_SHA256, parts, n, sum);
	digest_ctx_free(ctx);
	if (is_made)
		hex_encode(sum, sizeof(sum), out);
	return is_made;
}

bool migrate_checksum(const struct schema_file *file, char out[static DIGEST_MAX_HEX])
{
	return checksum_parts(&(struct digest_part){ file->text, file->len }, 1, out);
}

bool migrate_api_checksum(const struct schema_file *files, char out[static DIGEST_MAX_HEX])
{
	size_t n = 0;
	for (const struct schema_file *file = files; file->path; file++)
		n++;
	struct digest_part *parts = calloc(2 * n + 1, sizeof(*parts));
	if (!parts)
		return false;
	n = 0;
	for (const struct schema_file *file = files; file->path; file++) {
		if (strncmp(file->path, folder, strlen(folder)) == 0)
			continue;
		/* The NULs separate name and text. */
		parts[n++] = (struct digest_part){ file->path, strlen(file->path) + 1 };
		parts[n++] = (struct digest_part){ file->text, file->len + 1 };
	}
	bool is_made = checksum_parts(parts, n, out);
	free(parts);
	return is_made;
}

static bool cell_is_number(const struct rows *rows, size_t row, uint32_t number)
{
	const char *text = rows_cell(rows, row, COLUMN_NUMBER);
	uint64_t v;
	return text && num_parse_u64(text, strlen(text), 0, UINT32_MAX, &v) == 0 && v == number;
}

bool migrate_is_applied(const struct rows *applied, uint32_t number)
{
	for (size_t row = 0; row < applied->n; row++)
		if (cell_is_number(applied, row, number))
			return true;
	return false;
}

/* Compares one recorded migration with the files: 0 when it is one of them and unchanged. */
static int judge_row(const struct schema_file *files, const struct rows *applied, size_t row,
		     struct fault *fault)
{
	const char *number = rows_cell(applied, row, COLUMN_NUMBER),
		   *name = rows_cell(applied, row, COLUMN_NAME);
	const char *recorded = rows_cell(applied, row, COLUMN_CHECKSUM);
	char subject[MIGRATE_NAME], checksum[DIGEST_MAX_HEX];
	uint32_t known;

	for (const struct schema_file *file = files; file->path; file++) {
		if (migrate_name(file->path, &known, subject) != 0 ||
		    !cell_is_number(applied, row, known))
			continue;
		if (!migrate_checksum(file, checksum))
			return fault_nomem(fault);
		if (recorded && strcmp(recorded, checksum) == 0)
			return 0;
		return fault_set(
			fault, -ERR_REFUSED, "database",
			"migration %04u %s was changed after the database ran it; nothing was done",
			known, subject);
	}
	return fault_set(
		fault, -ERR_REFUSED, "database",
		"the database's schema is newer than this ticctl: it has migration %s %s; nothing was done",
		number ? number : "?", name ? name : "?");
}

int migrate_judge(const struct schema_file *files, const struct rows *applied, uint32_t *newest,
		  struct fault *fault)
{
	char subject[MIGRATE_NAME];
	uint32_t number;

	*newest = 0;
	for (const struct schema_file *file = files; file->path; file++)
		if (migrate_name(file->path, &number, subject) == 0 && number > *newest)
			*newest = number;
	for (size_t row = 0; row < applied->n; row++) {
		int err = judge_row(files, applied, row, fault);
		if (err)
			return err;
	}
	return 0;
}

/* The work */

enum { REPORT_COLUMNS = 4, REPORT_MESSAGE = 2048, REPORT_NUMBER = 12 };

/* What was done, as the row to print. */
struct report {
	char message[REPORT_MESSAGE];
	char schema[REPORT_NUMBER], applied[REPORT_NUMBER];
	const char *cells[REPORT_COLUMNS];
};

/* An arbitrary number. The lock belongs to the database: it excludes migrations of the same
 * database only. What else holds a table, such as a transaction that a PoP left open, is waited for
 * some seconds only, since everybody else waits behind a migration that waits. */
static const char begin_sql[] =
	"BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock(7405416);"
	" SET LOCAL lock_timeout = '10s'";

/* The same definition as in the first migration: a new database needs the table of the record
 * before its first row. */
static const char record_sql[] =
	"CREATE SCHEMA IF NOT EXISTS broker;"
	"CREATE TABLE IF NOT EXISTS broker.migration (number int PRIMARY KEY,"
	" name text NOT NULL, checksum text NOT NULL,"
	" applied_at timestamptz NOT NULL DEFAULT now())";

static int read_applied(struct pgctl *db, struct rows *out, struct fault *fault)
{
	struct rows exists = { 0 };
	int err = pgctl_query(db, "SELECT to_regclass('broker.migration')", 0, NULL, &exists,
			      fault);
	if (err)
		return err;
	bool is_new = !rows_cell(&exists, 0, 0);
	rows_free(&exists);
	if (is_new && (err = pgctl_script(db, record_sql, fault)))
		return err;
	return pgctl_query(db,
			   "SELECT number, name, checksum FROM broker.migration ORDER BY number", 0,
			   NULL, out, fault);
}

static int run_file(struct pgctl *db, const struct schema_file *file, struct fault *fault)
{
	int err = pgctl_script(db, file->text, fault);
	if (err)
		fault_prefix(fault, "schema/%s", file->path);
	return err;
}

static int record_migration(struct pgctl *db, const struct schema_file *file, uint32_t number,
			    const char *subject, struct fault *fault)
{
	char checksum[DIGEST_MAX_HEX], text[REPORT_NUMBER];
	const char *const params[] = { text, subject, checksum };
	struct rows none = { 0 };

	snprintf(text, sizeof(text), "%u", number);
	if (!migrate_checksum(file, checksum))
		return fault_nomem(fault);
	int err = pgctl_query(
		db,
		"INSERT INTO broker.migration (number, name, checksum) VALUES ($1::int, $2, $3)", 3,
		params, &none, fault);
	rows_free(&none);
	return err;
}

/* Runs the missing migrations; their names go to `message`, their count to *count. */
static int run_missing(struct pgctl *db, const struct rows *applied, struct wr *message,
		       unsigned *count, struct fault *fault)
{
	char subject[MIGRATE_NAME];
	uint32_t number;
	int err = 0;

	*count = 0;
	for (const struct schema_file *file = schema_files; !err && file->path; file++) {
		if (migrate_name(file->path, &number, subject) != 0 ||
		    migrate_is_applied(applied, number))
			continue;
		err = run_file(db, file, fault);
		if (!err)
			err = record_migration(db, file, number, subject, fault);
		wr_fmt(message, "%s %04u %s", *count == 0 ? "applied" : ",", number, subject);
		++*count;
	}
	if (*count > 0)
		wr_str(message, "; ");
	return err;
}

/* Also when nothing has changed: a restored database may have lost what this file sets. */
static int run_roles(struct pgctl *db, struct fault *fault)
{
	for (const struct schema_file *file = schema_files; file->path; file++)
		if (strcmp(file->path, "roles.sql") == 0)
			return run_file(db, file, fault);
	return 0;
}

/* roles.sql, the first of these files, creates the schema. */
static int create_api(struct pgctl *db, const char *checksum, struct fault *fault)
{
	char subject[MIGRATE_NAME], comment[DIGEST_MAX_HEX + 32];
	uint32_t number;
	int err = pgctl_script(db, "DROP SCHEMA IF EXISTS api CASCADE", fault);

	for (const struct schema_file *file = schema_files; !err && file->path; file++)
		if (migrate_name(file->path, &number, subject) != 0)
			err = run_file(db, file, fault);
	snprintf(comment, sizeof(comment), "COMMENT ON SCHEMA api IS '%s'", checksum);
	return err ? err : pgctl_script(db, comment, fault);
}

/* The checksum of the files that schema api was made of. A restore without privileges brings it too,
 * but not the grants: then there is none. */
static const char comment_sql[] =
	"SELECT obj_description(p.pronamespace, 'pg_namespace') FROM pg_proc p JOIN pg_roles r"
	" ON has_function_privilege(r.oid, p.oid, 'EXECUTE') AND r.rolname = 'webd'"
	" WHERE p.oid = to_regprocedure('api.web_version()')";

/* Creates schema api anew when the files differ from the recorded ones. */
static int renew_api(struct pgctl *db, bool *is_renewed, struct fault *fault)
{
	char checksum[DIGEST_MAX_HEX];
	struct rows comment = { 0 };

	if (!migrate_api_checksum(schema_files, checksum))
		return fault_nomem(fault);
	int err = pgctl_query(db, comment_sql, 0, NULL, &comment, fault);
	if (err)
		return err;
	const char *recorded = rows_cell(&comment, 0, 0);
	*is_renewed = !recorded || strcmp(recorded, checksum) != 0;
	rows_free(&comment);
	return *is_renewed ? create_api(db, checksum, fault) : run_roles(db, fault);
}

static void report_rows(struct report *report, bool is_renewed, struct rows *out)
{
	static const struct rows_column columns[REPORT_COLUMNS] = { { "message", ROWS_TEXT },
								    { "schema", ROWS_NUMBER },
								    { "applied", ROWS_NUMBER },
								    { "api", ROWS_BOOL } };
	report->cells[0] = report->message;
	report->cells[1] = report->schema;
	report->cells[2] = report->applied;
	report->cells[3] = is_renewed ? "t" : "f";
	*out = (struct rows){ 1, REPORT_COLUMNS, columns, report->cells, report, free };
}

/* Everything between BEGIN and COMMIT. */
static int migrate(struct pgctl *db, struct report *report, bool *is_renewed, struct fault *fault)
{
	struct wr message = wr_init(report->message, sizeof(report->message));
	struct rows applied = { 0 };
	uint32_t newest;
	unsigned count = 0;

	int err = read_applied(db, &applied, fault);
	if (!err)
		err = migrate_judge(schema_files, &applied, &newest, fault);
	if (!err)
		err = run_missing(db, &applied, &message, &count, fault);
	rows_free(&applied);
	if (!err)
		err = renew_api(db, is_renewed, fault);
	if (err)
		return err;
	wr_fmt(&message, "%sschema is current (%u)", *is_renewed ? "api re-created; " : "", newest);
	if (!wr_cstr(&message))
		snprintf(report->message, sizeof(report->message), "schema is current (%u)",
			 newest);
	snprintf(report->schema, sizeof(report->schema), "%u", newest);
	snprintf(report->applied, sizeof(report->applied), "%u", count);
	return 0;
}

int migrate_run(struct pgctl *db, const char *const *values, struct rows *out, struct fault *fault)
{
	struct report *report = calloc(1, sizeof(*report));
	bool is_renewed = false;

	(void)values;
	if (!report)
		return fault_nomem(fault);
	int err = pgctl_script(db, begin_sql, fault);
	if (!err)
		err = migrate(db, report, &is_renewed, fault);
	if (!err)
		err = pgctl_script(db, "COMMIT", fault);
	if (err) { /* closing the connection rolls back */
		free(report);
		return err;
	}
	report_rows(report, is_renewed, out);
	return 0;
}
