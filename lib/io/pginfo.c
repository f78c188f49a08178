#include "lib/io/pginfo.h"

#include <libpq-fe.h>
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

static char *option_copy(const PQconninfoOption *options, const char *keyword)
{
	for (const PQconninfoOption *o = options; o->keyword; o++) {
		if (strcmp(o->keyword, keyword) == 0 && o->val)
			return strdup(o->val);
	}
	return NULL;
}

struct pginfo *pginfo_create(const char *conninfo, const char *application)
{
	/* libpq's words on what is wrong quote the conninfo, so they are not for the log. */
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	if (!options) {
		log_error(
			"the database conninfo does not parse (see the PostgreSQL manual, \"Connection Strings\")");
		return NULL;
	}
	struct pginfo *info = calloc(1, sizeof(*info));
	if (info) {
		info->conninfo = strdup(conninfo);
		info->application = strdup(application);
		info->host = option_copy(options, "host");
		info->hostaddr = option_copy(options, "hostaddr");
		info->port = option_copy(options, "port");
	}
	PQconninfoFree(options);
	if (info && info->conninfo && info->application)
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

/* "a,b,c" becomes "b,c,a". A list of one serves every host and stays. */
static void rotate_list(char *list)
{
	char *comma = list ? strchr(list, ',') : NULL;
	if (!comma)
		return;
	*comma = '\0';
	char *first = strdup(list);
	size_t rest = strlen(comma + 1);
	if (!first) {
		*comma = ',';
		return;
	}
	memmove(list, comma + 1, rest);
	list[rest] = ',';
	strcpy(list + rest + 1, first);
	free(first);
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
	 * A later keyword overrides an earlier one: before the conninfo stand defaults that it may
	 * change, behind it what must hold. No GSS encryption by default, since libpq would ask the
	 * Kerberos server for it with blocking calls.
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
