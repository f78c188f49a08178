#include "ticd/ctl/run.h"

#include "lib/err.h"
#include "ticd/ctl/json.h"
#include "ticd/ctl/pgctl.h"
#include "ticd/ctl/table.h"

static const char alphabet[] = RUN_SECRET_ALPHABET;
_Static_assert(sizeof(alphabet) == 32 + 1, "a character for each value of 5 bits");

int run_make_secret(struct run_secret *out)
{
	uint8_t random[RUN_SECRET_LEN];
	struct digest_ctx *ctx = digest_ctx_create();
	int err = 0;

	if (!ctx)
		return -ERR_NOMEM;
	if (!random_bytes(random, sizeof(random))) {
		err = -ERR_SYS;
		goto free_ctx;
	}
	/* 32 divides 256, so every character is equally likely. */
	for (size_t i = 0; i < RUN_SECRET_LEN; i++)
		out->text[i] = alphabet[random[i] % 32];
	out->text[RUN_SECRET_LEN] = '\0';
	if (!digest_hex(ctx, DIGEST_MD5, out->text, RUN_SECRET_LEN, out->md5) ||
	    !digest_hex(ctx, DIGEST_SHA256, out->text, RUN_SECRET_LEN, out->sha256))
		err = -ERR_SYS;
	secure_zero(random, sizeof(random));
free_ctx:
	digest_ctx_free(ctx);
	return err;
}

/* Makes a secret when the command takes its digests (else secret->text stays ""), and sets them as
 * arguments. */
static int fill_secret(const struct command *command, struct args *args, struct run_secret *secret,
		       struct fault *fault)
{
	for (size_t i = 0; i < args->n; i++) {
		enum arg_kind kind = command->params[i].kind;
		if (kind != ARG_MD5 && kind != ARG_SHA256)
			continue;
		int err = secret->text[0] ? 0 : run_make_secret(secret);
		if (err == -ERR_NOMEM)
			return fault_nomem(fault);
		if (err)
			return fault_set(
				fault, err, "failed",
				"cannot make a TIC secret: the system gives no random bytes");
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
				 "the database returned no row where one was expected");
	if (!is_json)
		print_text(out, command, rows, secret);
	else if (!print_json(out, command, rows, secret))
		return fault_set(
			fault, -ERR_NOMEM, "failed",
			"the command was run, but its answer could not be written as JSON");
	if (fflush(out) != 0 || ferror(out))
		return fault_set(fault, -ERR_SYS, "failed",
				 "the command was run, but its answer could not be written: %m");
	return 0;
}

int run_command(const struct command *command, struct args *args, const char *conninfo,
		bool is_json, FILE *out, struct fault *fault)
{
	struct run_secret secret = { .text = "" };
	struct rows rows = { 0 };
	struct pgctl *db = NULL;

	int err = fill_secret(command, args, &secret, fault);
	if (!err)
		err = pgctl_open(conninfo, &db, fault);
	if (!err)
		err = command->run
			      ? command->run(db, args->value, &rows, fault)
			      : pgctl_query(db, command->sql, args->n, args->value, &rows, fault);
	if (!err)
		err = print_rows(out, command, &rows, secret.text[0] ? secret.text : NULL, is_json,
				 fault);
	rows_free(&rows);
	pgctl_close(db);
	secure_zero(&secret, sizeof(secret));
	return err;
}
