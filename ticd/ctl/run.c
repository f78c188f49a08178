#include "ticd/ctl/run.h"

#include "lib/digest.h"
#include "lib/err.h"
#include "ticd/ctl/json.h"
#include "ticd/ctl/pgctl.h"
#include "ticd/ctl/secret.h"
#include "ticd/ctl/table.h"

/* Puts the digests of a fresh secret where the command wants them; *wants is false when it wants
 * none. */
static int fill_secret(const struct command *command, struct args *args, struct secret *secret,
		       bool *wants, struct fault *fault)
{
	*wants = false;
	for (size_t i = 0; i < args->n; i++) {
		enum arg_kind kind = command->params[i].kind;
		if (kind != ARG_MD5 && kind != ARG_SHA256)
			continue;
		if (!*wants && secret_create(secret))
			return fault_set(
				fault, -ERR_SYS, "failed",
				"no TIC secret could be made: the system gives no randomness");
		*wants = true;
		args->value[i] = kind == ARG_MD5 ? secret->md5 : secret->sha256;
	}
	return 0;
}

static void print_text(FILE *out, const struct command *command, const struct rows *rows,
		       const char *secret)
{
	switch (command->shape) {
	case SHAPE_LIST:
		if (rows->n == 0)
			fprintf(out, "%s\n", command->empty);
		else
			table_list(out, rows);
		break;
	case SHAPE_RECORD:
		table_record(out, rows);
		break;
	case SHAPE_MESSAGE:
	case SHAPE_LINES:
		table_lines(out, rows);
		break;
	}
	if (secret)
		fprintf(out, "TIC secret: %s (shown this once)\n", secret);
}

static bool print_json(FILE *out, const struct command *command, const struct rows *rows,
		       const char *secret)
{
	if (command->shape == SHAPE_LIST || command->shape == SHAPE_LINES)
		return json_write_list(out, rows);
	return json_write_record(out, rows, "secret", secret);
}

static int print_rows(FILE *out, const struct command *command, const struct rows *rows,
		      const char *secret, bool is_json, struct fault *fault)
{
	if (rows->n == 0 && (command->shape == SHAPE_MESSAGE || command->shape == SHAPE_RECORD))
		return fault_set(fault, -ERR_NOT_FOUND, "database",
				 "the database has no such thing");
	if (!is_json)
		print_text(out, command, rows, secret);
	else if (!print_json(out, command, rows, secret))
		return fault_set(fault, -ERR_NOMEM, "failed",
				 "the answer could not be written as JSON");
	if (fflush(out) != 0 || ferror(out))
		return fault_set(fault, -ERR_SYS, "failed",
				 "it was done, but the answer could not be written: %m");
	return 0;
}

int run_command(const struct command *command, struct args *args, const char *conninfo,
		bool is_json, FILE *out, struct fault *fault)
{
	struct secret secret;
	struct rows rows = { 0 };
	struct pgctl *db = NULL;
	bool wants_secret;

	int err = fill_secret(command, args, &secret, &wants_secret, fault);
	if (!err)
		err = pgctl_open(conninfo, &db, fault);
	if (!err)
		err = command->run
			      ? command->run(db, args->value, &rows, fault)
			      : pgctl_query(db, command->sql, args->n, args->value, &rows, fault);
	if (!err)
		err = print_rows(out, command, &rows, wants_secret ? secret.text : NULL, is_json,
				 fault);
	rows_free(&rows);
	pgctl_close(db);
	secure_zero(&secret, sizeof(secret));
	return err;
}
