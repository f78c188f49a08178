#include "ticd/ctl/commands.h"

#include <string.h>

#include "ticd/ctl/import_run.h"
#include "ticd/ctl/migrate.h"
#include "ticd/ctl/pgctl.h"

/* Once more when it is committed: until then the old password lets in, and a popd whose session was
 * ended logs in at once. */
static int pop_secret(struct pgctl *db, const char *const *values, struct rows *out,
		      struct fault *fault)
{
	static const char sql[] =
		"SELECT * FROM api.op_pop_secret($1, CASE WHEN $2::boolean THEN NULL ELSE $3 END)";
	int err = pgctl_query(db, sql, 3, values, out, fault);

	if (err)
		return err;
	rows_free(out);
	return pgctl_query(db, sql, 3, values, out, fault);
}

/* clang-format off */
#define ARG(called, of_kind) {.name = called, .kind = of_kind}
#define CHOICE(called, choices) {.name = called, .kind = ARG_CHOICE, .meta = choices}
#define OPTION(option, of_kind, what) {.name = option, .kind = of_kind, .meta = what}
#define MAYBE(option, of_kind, what) {.name = option, .kind = of_kind, .meta = what, .optional = true}
#define MAYBE_ARG(called, of_kind) {.name = called, .kind = of_kind, .optional = true}
#define FIXED(value) {.name = "", .kind = ARG_FIXED, .fixed = value}
#define NEW_SECRET {.name = "", .kind = ARG_MD5}, {.name = "", .kind = ARG_SHA256}
#define NEW_PASSWORD ARG("--certificate", ARG_FLAG), {.name = "", .kind = ARG_VERIFIER}
#define HANDLE ARG("HANDLE", ARG_TEXT)
#define POP_NAME ARG("NAME", ARG_TEXT)
#define TUNNEL ARG("T<id>", ARG_TUNNEL)
#define SUBNET ARG("R<id>", ARG_SUBNET)
#define WHY MAYBE("--why", ARG_TEXT, "TEXT")
#define OF_HANDLE MAYBE_ARG("HANDLE", ARG_TEXT)
#define OF_POP MAYBE("--pop", ARG_TEXT, "P")
#define BY_UNIT {.name = "--by", .kind = ARG_CHOICE, .meta = "quarter|day|week|month|year", .optional = true}
#define FROM_UNTIL MAYBE("--from", ARG_DATE, "DATE"), MAYBE("--until", ARG_DATE, "DATE")
/* clang-format on */

const struct command commands[] = {
	{
		.name = "migrate",
		.run = migrate_run,
		.help = "bring the schema of the database up to this version (as the database's owner)",
	},
	{
		.name = "check",
		.sql = "SELECT * FROM api.op_check()",
		.shape = SHAPE_LIST,
		.help = "name what of the database's roles, grants and settings is not as it should be",
		.empty = "Nothing is missing.",
	},
	{
		.name = "pop add",
		.params = { POP_NAME, OPTION("--ipv4", ARG_IP4, "A"),
			    OPTION("--ipv6", ARG_IP6, "A"),
			    OPTION("--tunnels", ARG_PREFIX6, "PREFIX"),
			    OPTION("--subnets", ARG_PREFIX6, "PREFIX"),
			    MAYBE("--city", ARG_TEXT, "TEXT"), MAYBE("--country", ARG_TEXT, "TEXT"),
			    MAYBE("--isp", ARG_TEXT, "TEXT"), MAYBE("--isp-name", ARG_TEXT, "TEXT"),
			    MAYBE("--isp-website", ARG_TEXT, "URL"),
			    MAYBE("--isp-asn", ARG_TEXT, "ASN"),
			    MAYBE("--isp-lir", ARG_TEXT, "TEXT"), NEW_PASSWORD },
		.sql = "SELECT * FROM api.op_pop_add($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
		       " CASE WHEN $13::boolean THEN NULL ELSE $14 END)",
		.help = "add a PoP with the prefixes for its tunnels and subnets; prints its log-in's password once",
	},
	{
		.name = "pop secret",
		.params = { POP_NAME, NEW_PASSWORD },
		.run = pop_secret,
		.help = "give the log-in of a PoP a new password; prints it once",
	},
	{
		.name = "pop delete",
		.params = { POP_NAME },
		.sql = "SELECT * FROM api.op_pop_delete($1)",
		.help = "delete a PoP that has no tunnels, and its log-in",
	},
	{
		.name = "pop list",
		.sql = "SELECT * FROM api.op_pop_list()",
		.shape = SHAPE_LIST,
		.help = "list the PoPs and their states",
		.empty = "There are no PoPs.",
	},
	{
		.name = "pop show",
		.params = { POP_NAME },
		.sql = "SELECT * FROM api.op_pop_show($1)",
		.shape = SHAPE_RECORD,
		.help = "show one PoP",
	},
	{
		.name = "pop enable",
		.params = { POP_NAME, FIXED("true") },
		.sql = "SELECT * FROM api.op_pop_enable($1, $2)",
		.help = "take a PoP into service",
	},
	{
		.name = "pop disable",
		.params = { POP_NAME, FIXED("false") },
		.sql = "SELECT * FROM api.op_pop_enable($1, $2)",
		.help = "take a PoP out of service",
	},
	{
		.name = "pop set",
		.params = { POP_NAME,
			    CHOICE("KEY",
				   "ipv4|ipv6|city|country|isp_short|isp_name|isp_website|isp_asn|isp_lir"),
			    ARG("VALUE", ARG_VALUE) },
		.sql = "SELECT * FROM api.op_pop_set($1, $2, $3)",
		.help = "change a PoP's addresses or its description",
	},
	{
		.name = "pop prefix",
		.params = { POP_NAME, CHOICE("KIND", "tunnel|subnet"), ARG("PREFIX", ARG_PREFIX6),
			    MAYBE("--length", ARG_NUMBER, "N") },
		.sql = "SELECT * FROM api.op_pop_prefix_add($1, $2, $3, $4)",
		.help = "add a prefix from which a PoP allocates tunnels, or subnets of length N",
	},
	{
		.name = "pop statistics",
		.params = { POP_NAME, BY_UNIT, FROM_UNTIL },
		.sql = "SELECT * FROM api.op_pop_statistics($1, coalesce($2, 'day'), $3, $4)",
		.shape = SHAPE_LIST,
		.help = "show traffic and liveness of all tunnels of a PoP, deleted ones included",
		.empty = "There are no statistics of this PoP for these days.",
	},
	{
		.name = "pop errors",
		.params = { POP_NAME, FROM_UNTIL },
		.sql = "SELECT * FROM api.op_pop_errors($1, $2, $3)",
		.shape = SHAPE_LIST,
		.help = "show what a PoP dropped on each day, with the reason and its meaning",
		.empty = "This PoP dropped no packets on these days.",
	},
	{
		.name = "user add",
		.params = { HANDLE, OPTION("--name", ARG_TEXT, "NAME"),
			    OPTION("--email", ARG_TEXT, "EMAIL"),
			    MAYBE("--credit", ARG_AMOUNT, "N"), NEW_SECRET },
		.sql = "SELECT * FROM api.op_user_add($1, $2, $3, $4, $5, $6)",
		.help = "add an account; prints its TIC secret once",
	},
	{
		.name = "user list",
		.sql = "SELECT * FROM api.op_user_list()",
		.shape = SHAPE_LIST,
		.help = "list the accounts",
		.empty = "There are no accounts.",
	},
	{
		.name = "user show",
		.params = { HANDLE },
		.sql = "SELECT * FROM api.op_user_show($1)",
		.shape = SHAPE_RECORD,
		.help = "show one account; its TIC secret is not stored",
	},
	{
		.name = "user enable",
		.params = { HANDLE, FIXED("true") },
		.sql = "SELECT * FROM api.op_user_enable($1, $2)",
		.help = "allow an account to log in",
	},
	{
		.name = "user disable",
		.params = { HANDLE, FIXED("false") },
		.sql = "SELECT * FROM api.op_user_enable($1, $2)",
		.help = "prevent an account from logging in",
	},
	{
		.name = "user secret",
		.params = { HANDLE, NEW_SECRET },
		.sql = "SELECT * FROM api.op_user_secret($1, $2, $3)",
		.help = "give an account a new TIC secret; prints it once",
	},
	{
		.name = "credit",
		.params = { HANDLE, ARG("AMOUNT", ARG_AMOUNT), OPTION("--why", ARG_TEXT, "TEXT") },
		.sql = "SELECT * FROM api.op_credit($1, $2, $3)",
		.help = "add ISK to an account (+5) or take some (-5)",
	},
	{
		.name = "ledger",
		.params = { HANDLE },
		.sql = "SELECT * FROM api.op_ledger($1)",
		.shape = SHAPE_LIST,
		.help = "list what an account earned and spent",
		.empty = "The ledger of this account is empty.",
	},
	{
		.name = "tunnel request",
		.params = { HANDLE, OPTION("--pop", ARG_TEXT, "P"),
			    CHOICE("--type", "ayiya|heartbeat|static"),
			    MAYBE("--endpoint", ARG_IP4, "A"), WHY },
		.sql = "SELECT * FROM api.op_tunnel_request($1, $2, $3, $4, $5)",
		.help = "request a tunnel for an account",
	},
	{
		.name = "tunnel list",
		.params = { OF_HANDLE, OF_POP },
		.sql = "SELECT * FROM api.op_tunnel_list($1, $2)",
		.shape = SHAPE_LIST,
		.help = "list tunnels: all, of an account, on a PoP",
		.empty = "There are no such tunnels.",
	},
	{
		.name = "tunnel show",
		.params = { TUNNEL },
		.sql = "SELECT * FROM api.op_tunnel_show($1)",
		.shape = SHAPE_RECORD,
		.help = "show one tunnel",
	},
	{
		.name = "tunnel set",
		.params = { TUNNEL, CHOICE("KEY", "endpoint|type|mtu|name|state"),
			    ARG("VALUE", ARG_VALUE) },
		.sql = "SELECT * FROM api.op_tunnel_set($1, $2, $3)",
		.help = "change a tunnel (a new endpoint or type costs ISK; the type \"static 192.0.2.1\" includes the endpoint)",
	},
	{
		.name = "tunnel delete",
		.params = { TUNNEL },
		.sql = "SELECT * FROM api.op_tunnel_delete($1)",
		.help = "delete a tunnel that has no subnets",
	},
	{
		.name = "tunnel statistics",
		.params = { TUNNEL, BY_UNIT, FROM_UNTIL },
		.sql = "SELECT * FROM api.op_tunnel_statistics($1, coalesce($2, 'day'), $3, $4)",
		.shape = SHAPE_LIST,
		.help = "show traffic and liveness of a tunnel",
		.empty = "There are no statistics of this tunnel for these days.",
	},
	{
		.name = "tunnel errors",
		.params = { TUNNEL, FROM_UNTIL },
		.sql = "SELECT * FROM api.op_tunnel_errors($1, $2, $3)",
		.shape = SHAPE_LIST,
		.help = "show what was dropped of a tunnel on each day, with the reason and its meaning",
		.empty = "No packets of this tunnel were dropped on these days.",
	},
	{
		.name = "subnet request",
		.params = { HANDLE, TUNNEL, WHY },
		.sql = "SELECT * FROM api.op_subnet_request($1, $2, $3)",
		.help = "request a subnet routed to a tunnel",
	},
	{
		.name = "subnet list",
		.params = { OF_HANDLE, OF_POP },
		.sql = "SELECT * FROM api.op_subnet_list($1, $2)",
		.shape = SHAPE_LIST,
		.help = "list subnets: all, of an account, on a PoP",
		.empty = "There are no such subnets.",
	},
	{
		.name = "subnet delete",
		.params = { SUBNET },
		.sql = "SELECT * FROM api.op_subnet_delete($1)",
		.help = "delete a subnet",
	},
	{
		.name = "ns add",
		.params = { SUBNET, ARG("HOST", ARG_TEXT) },
		.sql = "SELECT * FROM api.op_ns_add($1, $2)",
		.help = "add a reverse-DNS server to a subnet",
	},
	{
		.name = "ns remove",
		.params = { SUBNET, ARG("HOST", ARG_TEXT) },
		.sql = "SELECT * FROM api.op_ns_remove($1, $2)",
		.help = "remove a reverse-DNS server from a subnet",
	},
	{
		.name = "request list",
		.params = { ARG("--all", ARG_FLAG) },
		.sql = "SELECT * FROM api.op_request_list($1)",
		.shape = SHAPE_LIST,
		.help = "list the requests that await a decision, or all",
		.empty = "There are no requests.",
	},
	{
		.name = "request approve",
		.params = { ARG("ID", ARG_NUMBER), WHY },
		.sql = "SELECT * FROM api.op_request_approve($1, $2)",
		.help = "approve a request",
	},
	{
		.name = "request refuse",
		.params = { ARG("ID", ARG_NUMBER), WHY },
		.sql = "SELECT * FROM api.op_request_refuse($1, $2)",
		.help = "refuse a request",
	},
	{
		.name = "cost list",
		.params = { OF_POP },
		.sql = "SELECT * FROM api.op_cost_list($1)",
		.shape = SHAPE_LIST,
		.help = "list what each action costs and the balance it needs",
		.empty = "There are no costs.",
	},
	{
		/* Without --floor the floor in force stays. */
		.name = "cost set",
		.params = { ARG("ACTION", ARG_TEXT), ARG("COST", ARG_AMOUNT),
			    MAYBE("--floor", ARG_FLOOR, "N|none"), OF_POP },
		.sql = "SELECT * FROM api.op_cost_set($1, $4, $2, CASE WHEN $3::text IS NULL"
		       " THEN (SELECT c.floor FROM api.op_cost_list($4) c WHERE c.action = $1"
		       " AND ($4::text IS NOT NULL OR c.pop IS NULL)) ELSE nullif($3, 'none')::int END)",
		.help = "set what an action costs, by default or on one PoP",
	},
	{
		.name = "setting list",
		.sql = "SELECT * FROM api.op_setting_list()",
		.shape = SHAPE_LIST,
		.help = "list the settings of the whole broker",
		.empty = "There are no settings.",
	},
	{
		.name = "setting set",
		.params = { ARG("NAME", ARG_TEXT), ARG("VALUE", ARG_NUMBER) },
		.sql = "SELECT * FROM api.op_setting_set($1, $2)",
		.help = "change a setting of the whole broker",
	},
	{
		.name = "daily",
		.params = { MAYBE_ARG("DATE", ARG_DATE) },
		.sql = "SELECT * FROM api.isk_daily(coalesce($1::date, (now() AT TIME ZONE 'UTC')::date))",
		.shape = SHAPE_LIST,
		.help = "run the ISK job for all days before DATE (default: today, UTC)",
		.empty = "Nothing was due.",
	},
	{
		.name = "prune",
		.sql = "SELECT * FROM api.prune()",
		.shape = SHAPE_LIST,
		.help = "delete records that are older than the settings keep them",
		.empty = "Nothing was old enough to be deleted.",
	},
	{
		.name = "import",
		.params = { ARG("FILE", ARG_TEXT), OPTION("--owner", ARG_TEXT, "HANDLE"),
			    OPTION("--pop", ARG_TEXT, "P") },
		.run = import_run,
		.help = "import tunnels and subnets from a sixxsd configuration file (- is standard input)",
	},
	{
		.name = "export",
		.params = { { .name = "--pop", .kind = ARG_TEXT, .meta = "P", .bare = true } },
		.sql = "SELECT * FROM api.op_export($1)",
		.shape = SHAPE_LINES,
		.help = "write a PoP's tunnels and subnets in the form that import reads, secrets included",
	},
	{ 0 },
};

/* How many words of the command's name stand in their places in `args`; *total: how many words the
 * name has. */
static size_t match_name(const struct command *command, char *const *args, size_t n, size_t *total)
{
	size_t matched = 0;
	*total = 0;
	for (const char *word = command->name; *word; (*total)++) {
		size_t len = strcspn(word, " ");
		matched += *total < n && strlen(args[*total]) == len &&
			   memcmp(args[*total], word, len) == 0;
		word += len + (word[len] == ' ');
	}
	return matched;
}

const struct command *commands_find(char *const *args, size_t n, size_t *used)
{
	for (const struct command *command = commands; command->name; command++)
		if (match_name(command, args, n, used) == *used)
			return command;
	return NULL;
}

static void write_param(FILE *out, const struct param *p)
{
	const char *value = p->kind == ARG_FLAG ? NULL : p->meta;
	if (param_is_hidden(p))
		return;
	fprintf(out, p->optional || p->kind == ARG_FLAG ? " [" : " ");
	if (!param_is_option(p))
		fprintf(out, "%s", value ? value : p->name);
	else
		fprintf(out, p->bare ? "[%s]%s%s" : "%s%s%s", p->name, value ? " " : "",
			value ? value : "");
	if (p->optional || p->kind == ARG_FLAG)
		putc(']', out);
}

static void write_usage(FILE *out, const struct command *command)
{
	fprintf(out, "ticctl %s", command->name);
	for (const struct param *p = command->params; p->name; p++)
		write_param(out, p);
	putc('\n', out);
}

void commands_usage(FILE *out, const struct command *command)
{
	fputs("usage: ", out);
	write_usage(out, command);
}

size_t commands_help(FILE *out, char *const *args, size_t n)
{
	size_t found = 0;
	for (const struct command *command = commands; command->name; command++) {
		size_t total;
		if (match_name(command, args, n, &total) < (n < total ? n : total))
			continue;
		write_usage(out, command);
		fprintf(out, "      %s\n", command->help);
		found++;
	}
	return found;
}
