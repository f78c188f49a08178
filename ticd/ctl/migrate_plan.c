#include "ticd/ctl/migrate_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/num.h"

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

bool migrate_doors_checksum(const struct schema_file *files, char out[static DIGEST_MAX_HEX])
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
		/* The NULs keep name and text apart. */
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

/* One recorded migration against the files: 0 when it is one of them and unchanged. */
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
			return fault_set(fault, -ERR_NOMEM, "failed", "out of memory");
		if (recorded && strcmp(recorded, checksum) == 0)
			return 0;
		return fault_set(
			fault, -ERR_REFUSED, "database",
			"migration %04u %s was changed after the database ran it; nothing was done",
			known, subject);
	}
	return fault_set(
		fault, -ERR_REFUSED, "database",
		"the database's schema is newer than this program: it has migration %s %s; nothing was done",
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
