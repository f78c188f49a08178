#include "lib/io/pgres.h"

#include <libpq-fe.h>
#include <string.h>

#include "lib/err.h"
#include "lib/io/pgpool.h"
#include "lib/num.h"

size_t pgres_rows(const struct pgres *res)
{
	return (size_t)PQntuples(res->pg);
}

size_t pgres_cols(const struct pgres *res)
{
	return (size_t)PQnfields(res->pg);
}

const char *pgres_text(const struct pgres *res, size_t row, size_t col)
{
	if (row >= pgres_rows(res) || col >= pgres_cols(res) ||
	    PQgetisnull(res->pg, (int)row, (int)col))
		return NULL;
	return PQgetvalue(res->pg, (int)row, (int)col);
}

const char *pgres_str(const struct pgres *res, size_t row, size_t col)
{
	const char *text = pgres_text(res, row, col);
	return text ? text : "";
}

int pgres_i64(const struct pgres *res, size_t row, size_t col, int64_t *out)
{
	const char *text = pgres_text(res, row, col);

	if (!text)
		return -ERR_NOT_FOUND;
	return num_parse_i64(text, strlen(text), INT64_MIN, INT64_MAX, out) ? -ERR_FORMAT : 0;
}

bool pgres_bool(const struct pgres *res, size_t row, size_t col)
{
	const char *text = pgres_text(res, row, col);
	return text && strcmp(text, "t") == 0;
}

void pgres_clear(struct pgres *res)
{
	PQclear(res->pg);
	res->pg = NULL;
}

/* The first row whose prefix matches decides. libpq's own errors have no SQLSTATE and mean a broken
 * connection or no memory. */
static const struct {
	const char *prefix;
	enum err err;
} classes[] = {
	{ "BK", ERR_REFUSED },    /* a business rule */
	{ "57014", ERR_TIMEOUT }, /* cancelled, most likely by statement_timeout */
	{ "57P", ERR_AWAY },      /* shutting down, crashed, starting up */
	{ "08", ERR_AWAY },       /* connection exception */
	{ "25006", ERR_AWAY },    /* read-only: this server became a standby */
	{ "53", ERR_AWAY },       /* out of connections, memory, disk */
	{ "40", ERR_BUSY }, /* deadlock, serialization failure: rolled back, may be tried again */
	{ "55P03", ERR_BUSY }, /* lock not available */
	{ "", ERR_FORMAT },
};

int pgres_error(const struct pg_result *pg)
{
	ExecStatusType status = PQresultStatus(pg);
	const char *state = pgres_sqlstate(pg);

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return 0;
	if (status == PGRES_FATAL_ERROR && state[0] == '\0')
		return -ERR_AWAY;
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (strncmp(state, classes[i].prefix, strlen(classes[i].prefix)) == 0)
			return -(int)classes[i].err;
	}
	return -ERR_FORMAT;
}

const char *pgres_sqlstate(const struct pg_result *pg)
{
	const char *state = PQresultErrorField(pg, PG_DIAG_SQLSTATE);
	return state ? state : "";
}

void pgres_message(const struct pg_result *pg, char *out, size_t size)
{
	const char *text = PQresultErrorField(pg, PG_DIAG_MESSAGE_PRIMARY);
	pgres_one_line(text ? text : PQresultErrorMessage(pg), out, size);
}

bool pgres_is_fatal(const struct pg_result *pg)
{
	const char *severity = PQresultErrorField(pg, PG_DIAG_SEVERITY_NONLOCALIZED);
	return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

bool pgres_is_stale(const struct pg_result *pg)
{
	const char *state = pgres_sqlstate(pg);
	return strcmp(state, "0A000") == 0 || strcmp(state, "26000") == 0;
}

void pgres_one_line(const char *text, char *out, size_t size)
{
	size_t used = 0;

	for (; *text && used + 1 < size; text++) {
		bool is_blank = strchr(" \t\r\n", *text) != NULL;
		if (!is_blank)
			out[used++] = *text;
		else if (used > 0 && out[used - 1] != ' ')
			out[used++] = ' ';
	}
	while (used > 0 &&
	       (out[used - 1] == ' ' || (*text && ((unsigned char)out[used - 1] & 0xc0) == 0x80)))
		used--;
	if (*text && used > 0 && (unsigned char)out[used - 1] >= 0xc0)
		used--;
	out[used] = '\0';
}
