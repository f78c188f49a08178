#include "ticd/ctl/pgctl.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

struct pgctl {
	PGconn *conn;
};

/* Constant identifiers of the built-in types whose text is a JSON number or boolean. */
enum {
	OID_BOOL = 16,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT4 = 23,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_NUMERIC = 1700,
};

/* Notices ("schema does not exist, skipping") are of no interest to the operator. */
static void ignore_notice(void *ctx, const PGresult *res)
{
	(void)ctx;
	(void)res;
}

/* libpq's error quotes a conninfo that it cannot parse, password included; so parse it first and
 * say less. */
static int check_conninfo(const char *conninfo, struct fault *fault)
{
	/* a database's name needs no parsing */
	bool is_name = !strchr(conninfo, '=') && !strstr(conninfo, "://");
	PQconninfoOption *options = is_name ? NULL : PQconninfoParse(conninfo, NULL);
	if (!is_name && !options)
		return fault_set(
			fault, -ERR_FORMAT, "database",
			"the database's conninfo cannot be parsed (it is not shown, for it may hold a password)");
	PQconninfoFree(options);
	return 0;
}

int pgctl_open(const char *conninfo, struct pgctl **out, struct fault *fault)
{
	const char *const keys[] = { "connect_timeout", "fallback_application_name", "dbname",
				     "client_encoding", NULL };
	const char *const values[] = { "10", "ticctl", conninfo, "UTF8", NULL };
	int err = check_conninfo(conninfo, fault);

	if (err)
		return err;
	struct pgctl *db = calloc(1, sizeof(*db));
	if (!db || !(db->conn = PQconnectdbParams(keys, values, 1))) {
		err = fault_nomem(fault);
		goto close;
	}
	if (PQstatus(db->conn) != CONNECTION_OK) {
		err = fault_set(fault, -ERR_AWAY, "database", "the database cannot be reached: %s",
				PQerrorMessage(db->conn));
		goto close;
	}
	PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
	err = pgctl_script(db, "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'", fault);
	if (err)
		goto close;
	*out = db;
	return 0;
close:
	pgctl_close(db);
	return err;
}

void pgctl_close(struct pgctl *db)
{
	if (!db)
		return;
	PQfinish(db->conn);
	free(db);
}

/* What the operator can do about an error, by the first characters of its SQLSTATE. */
static const struct {
	const char *sqlstate;
	const char *advice;
} advices[] = {
	{ "42501", "; use --db to log in as another role" },
	{ "42883", "; run `ticctl migrate` as the owner of the database" },
	{ "3F000", "; run `ticctl migrate` as the owner of the database" },
	{ "42P01", "; run `ticctl migrate` as the owner of the database" },
	{ "40", "; try again" },
	{ "55P03", "; `ticctl check` names the PoPs that left a transaction open" },
};

static int read_failure(struct pgctl *db, const PGresult *res, struct fault *fault)
{
	const char *sqlstate = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
	const char *message = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	if (sqlstate && strncmp(sqlstate, "BK", 2) == 0)
		return fault_set(fault, -ERR_REFUSED, sqlstate, "%s",
				 message ? message : "refused");
	if (PQstatus(db->conn) != CONNECTION_OK)
		return fault_set(fault, -ERR_AWAY, "database",
				 "the database closed the connection: %s",
				 PQerrorMessage(db->conn));
	if (!sqlstate || !message) /* an error of libpq, such as no memory for the answer */
		return fault_set(fault, -ERR_FORMAT, "database",
				 "the database's answer was lost: %s", PQerrorMessage(db->conn));
	const char *advice = "";
	for (size_t i = 0; i < ARRAY_LEN(advices) && !*advice; i++)
		if (strncmp(sqlstate, advices[i].sqlstate, strlen(advices[i].sqlstate)) == 0)
			advice = advices[i].advice;
	return fault_set(fault, -ERR_FORMAT, "database", "the database said: %s (%s)%s", message,
			 sqlstate, advice);
}

/* The memory of one answer: libpq's result and two tables that point into it. */
struct answer {
	PGresult *res;
	struct rows_column *columns;
	const char **cells;
};

static void answer_free(void *owner)
{
	struct answer *answer = owner;
	PQclear(answer->res);
	free(answer->columns);
	free(answer->cells);
	free(answer);
}

static enum rows_kind column_kind(Oid type)
{
	switch (type) {
	case OID_BOOL:
		return ROWS_BOOL;
	case OID_INT2:
	case OID_INT4:
	case OID_INT8:
	case OID_FLOAT4:
	case OID_FLOAT8:
	case OID_NUMERIC:
		return ROWS_NUMBER;
	default:
		return ROWS_TEXT;
	}
}

/* Takes `res`, also when it fails. */
static int read_rows(PGresult *res, struct rows *out, struct fault *fault)
{
	size_t n = (size_t)PQntuples(res), width = (size_t)PQnfields(res);
	struct answer *answer = calloc(1, sizeof(*answer));

	if (!answer) {
		PQclear(res);
		return fault_nomem(fault);
	}
	answer->res = res;
	answer->columns = calloc(width + 1, sizeof(*answer->columns));
	answer->cells = calloc(n * width + 1, sizeof(*answer->cells));
	if (!answer->columns || !answer->cells) {
		answer_free(answer);
		return fault_nomem(fault);
	}
	for (size_t c = 0; c < width; c++)
		answer->columns[c] = (struct rows_column){ PQfname(res, (int)c),
							   column_kind(PQftype(res, (int)c)) };
	for (size_t i = 0; i < n * width; i++)
		if (!PQgetisnull(res, (int)(i / width), (int)(i % width)))
			answer->cells[i] = PQgetvalue(res, (int)(i / width), (int)(i % width));
	*out = (struct rows){ n, width, answer->columns, answer->cells, answer, answer_free };
	return 0;
}

int pgctl_query(struct pgctl *db, const char *sql, size_t n, const char *const *params,
		struct rows *out, struct fault *fault)
{
	PGresult *res = PQexecParams(db->conn, sql, (int)n, NULL, params, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(res);

	*out = (struct rows){ 0 };
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return read_rows(res, out, fault);
	int err = read_failure(db, res, fault);
	PQclear(res);
	return err;
}

int pgctl_verifier(struct pgctl *db, const char *password, char out[static PGCTL_VERIFIER],
		   struct fault *fault)
{
	/* The name of the user is no part of this kind of verifier. */
	char *verifier = PQencryptPasswordConn(db->conn, password, "", "scram-sha-256");
	int length = verifier ? snprintf(out, PGCTL_VERIFIER, "%s", verifier) : PGCTL_VERIFIER;

	PQfreemem(verifier);
	return length < PGCTL_VERIFIER ? 0 : fault_nomem(fault);
}

int pgctl_script(struct pgctl *db, const char *sql, struct fault *fault)
{
	PGresult *res = PQexec(db->conn, sql);
	ExecStatusType status = PQresultStatus(res);
	int err = 0;

	if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
		err = read_failure(db, res, fault);
	PQclear(res);
	return err;
}
