#include "ticd/ctl/run.h"

#include <string.h>

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

/* A password's verifier is made only without the flag before it. */
static bool takes_secret(const struct command *command, const struct args *args, size_t i)
{
	switch (command->params[i].kind) {
	case ARG_MD5:
	case ARG_SHA256:
		return true;
	case ARG_VERIFIER:
		return strcmp(args->value[i - 1], "true") != 0;
	default:
		return false;
	}
}

/* Makes a secret when the command takes its digests or its verifier (else secret->text stays ""),
 * and sets the digests as arguments. */
static int fill_secret(const struct command *command, struct args *args, struct run_secret *secret,
		       struct fault *fault)
{
	for (size_t i = 0; i < args->n; i++) {
		enum arg_kind kind = command->params[i].kind;
		if (!takes_secret(command, args, i))
			continue;
		int err = secret->text[0] ? 0 : run_make_secret(secret);
		if (err == -ERR_NOMEM)
			return fault_nomem(fault);
		if (err)
			return fault_set(fault, err, "failed",
					 "cannot make a secret: the system gives no random bytes");
		if (kind != ARG_VERIFIER)
			args->value[i] = kind == ARG_MD5 ? secret->md5 : secret->sha256;
	}
	return 0;
}

/* Sets the verifier of the secret as argument, where the command takes it. */
static int fill_verifier(struct pgctl *db, const struct command *command, struct args *args,
			 const struct run_secret *secret, char verifier[static PGCTL_VERIFIER],
			 struct fault *fault)
{
	for (size_t i = 0; i < args->n; i++) {
		if (command->params[i].kind != ARG_VERIFIER || !secret->text[0])
			continue;
		int err = pgctl_verifier(db, secret->text, verifier, fault);
		if (err)
			return err;
		args->value[i] = verifier;
	}
	return 0;
}

static bool has_login(const struct rows *rows)
{
	return rows->width == 2 && strcmp(rows->columns[1].name, "login") == 0;
}

/* The secret is of a PoP's log-in, which the answer names. */
static void print_login(FILE *out, const char *login, const char *secret)
{
	if (!login)
		return;
	fprintf(out, "log-in: ");
	table_text(out, login);
	if (secret)
		fprintf(out, "\npassword: %s (shown this once)", secret);
	putc('\n', out);
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
	if (has_login(rows))
		print_login(out, rows_cell(rows, 0, 1), secret);
	else if (secret)
		fprintf(out, "TIC secret: %s (shown this once)\n", secret);
}

static bool print_json(FILE *out, const struct command *command, const struct rows *rows,
		       const char *secret)
{
	if (command->shape == SHAPE_LIST || command->shape == SHAPE_LINES)
		return json_write_list(out, rows);
	if (has_login(rows)) /* without a log-in nobody has the password */
		return json_write_record(out, rows, "password",
					 rows_cell(rows, 0, 1) ? secret : NULL);
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
	char verifier[PGCTL_VERIFIER];
	struct rows rows = { 0 };
	struct pgctl *db = NULL;

	int err = fill_secret(command, args, &secret, fault);
	if (!err)
		err = pgctl_open(conninfo, &db, fault);
	if (!err)
		err = fill_verifier(db, command, args, &secret, verifier, fault);
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
