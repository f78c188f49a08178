#include "lib/io/pginfo.h"

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"

struct pginfo {
	char *conninfo;
	char *application;
	/* comma lists of the same length, or NULL where the conninfo has none */
	char *host, *hostaddr, *port;
	unsigned turn;
};

/* *out is NULL for an option that is not set. False: no memory. */
static bool copy_option(const PQconninfoOption *options, const char *keyword, char **out)
{
	*out = NULL;
	for (const PQconninfoOption *o = options; o->keyword; o++) {
		if (strcmp(o->keyword, keyword) == 0 && o->val)
			return (*out = strdup(o->val)) != NULL;
	}
	return true;
}

/* libpq's error is not logged, since it quotes the conninfo. */
static PQconninfoOption *parse(const char *conninfo)
{
	char *error = NULL;
	PQconninfoOption *options = PQconninfoParse(conninfo, &error);

	if (!options && (!error || strstr(error, "out of memory")))
		log_error("no memory for the database conninfo");
	else if (!options)
		log_error("the database conninfo does not parse (see the PostgreSQL manual, "
			  "\"Connection Strings\")");
	PQfreemem(error);
	return options;
}

struct pginfo *pginfo_create(const char *conninfo, const char *application)
{
	PQconninfoOption *options = parse(conninfo);
	if (!options)
		return NULL;
	struct pginfo *info = calloc(1, sizeof(*info));
	bool is_whole = info && (info->conninfo = strdup(conninfo)) &&
			(info->application = strdup(application)) &&
			copy_option(options, "host", &info->host) &&
			copy_option(options, "hostaddr", &info->hostaddr) &&
			copy_option(options, "port", &info->port);
	PQconninfoFree(options);
	if (is_whole)
		return info;
	pginfo_free(info);
	return NULL;
}

void pginfo_free(struct pginfo *info)
{
	if (!info)
		return;
	explicit_bzero(info->conninfo, info->conninfo ? strlen(info->conninfo) : 0);
	free(info->conninfo);
	free(info->application);
	free(info->host);
	free(info->hostaddr);
	free(info->port);
	free(info);
}

static void reverse(char *text, size_t len)
{
	for (size_t i = 0; i < len / 2; i++) {
		char c = text[i];
		text[i] = text[len - 1 - i];
		text[len - 1 - i] = c;
	}
}

/* "a,b,c" becomes "b,c,a"; in place, so that the lists cannot lose step with each other. A list of
 * one serves every host and stays. */
static void rotate_list(char *list)
{
	char *comma = list ? strchr(list, ',') : NULL;
	if (!comma)
		return;
	size_t first = (size_t)(comma - list), rest = strlen(comma + 1);
	reverse(list, first + 1 + rest);
	reverse(list, rest);
	reverse(list + rest + 1, first);
}

void pginfo_rotate(struct pginfo *info, unsigned turn)
{
	if (turn != info->turn)
		return;
	info->turn++;
	rotate_list(info->host);
	rotate_list(info->hostaddr);
	rotate_list(info->port);
}

struct pg_conn *pginfo_connect(const struct pginfo *info, unsigned *turn)
{
	/*
	 * A later keyword overrides an earlier one: first the defaults, then the conninfo, then
	 * what must hold. No GSS encryption by default, since libpq would ask the Kerberos server
	 * for it with blocking calls.
	 */
	const char *keywords[12] = {
		"gssencmode",       "keepalives_idle",           "keepalives_interval",
		"keepalives_count", "fallback_application_name", "dbname",
		"client_encoding"
	};
	const char *values[12] = { "disable",         "30",           "10",  "3",
				   info->application, info->conninfo, "UTF8" };
	const struct {
		const char *keyword, *value;
	} lists[] = { { "host", info->host },
		      { "hostaddr", info->hostaddr },
		      { "port", info->port } };
	size_t n = 7;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		if (lists[i].value) {
			keywords[n] = lists[i].keyword;
			values[n++] = lists[i].value;
		}
	}
	*turn = info->turn;
	return PQconnectStartParams(keywords, values, 1);
}
