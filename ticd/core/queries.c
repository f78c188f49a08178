#include "ticd/core/queries.h"

#include <stdio.h>
#include <string.h>

#include "lib/ip.h"
#include "lib/err.h"
#include "lib/num.h"

static const char *tunnel_of_login(const struct session *s)
{
	return s->tunnel[0] != '\0' ? s->tunnel : NULL;
}

/* Lists */

enum { LIST_MAX = 32768 }; /* rows in one list: the tunnels of a whole /48 */

typedef void list_row(struct reply *reply, const struct store_answer *a, size_t row);

/* 201, a line a row, 202. Each line is a reply, for a list may be far longer than one. */
static void say_list(struct session *s, const struct store_answer *a, const char *what,
		     list_row *row)
{
	struct reply reply;

	if (a->err != 0) {
		session_say_error(s, a);
		return;
	}
	if (a->rows > LIST_MAX) {
		session_say(s, "500 There are %zu %s, too many for a list; see %s/", a->rows, what,
			    s->env->url);
		return;
	}
	session_say(s, "201 Listing %s", what);
	for (size_t i = 0; i < a->rows && session_is_logged_in(s); i++) {
		reply_init(&reply);
		row(&reply, a, i);
		session_put(s, &reply);
	}
	if (session_is_logged_in(s))
		session_say(s, "202 Done");
}

/* Exactly four fields: clients count them. */
static void tunnel_row(struct reply *reply, const struct store_answer *a, size_t row)
{
	reply_line(reply, "T%s %s %s %s", store_cell(a, row, 0), store_cell(a, row, 1),
		   store_cell(a, row, 2), store_cell(a, row, 3));
}

static void route_row(struct reply *reply, const struct store_answer *a, size_t row)
{
	reply_line(reply, "R%s T%s %s", store_cell(a, row, 0), store_cell(a, row, 1),
		   store_cell(a, row, 2));
}

static void pop_row(struct reply *reply, const struct store_answer *a, size_t row)
{
	reply_line(reply, "%s", store_cell(a, row, 0));
}

static void tunnel_list_answered(struct session *s, const struct store_answer *a)
{
	say_list(s, a, "tunnels", tunnel_row);
}

static void route_list_answered(struct session *s, const struct store_answer *a)
{
	say_list(s, a, "subnets", route_row);
}

static void pop_list_answered(struct session *s, const struct store_answer *a)
{
	say_list(s, a, "PoPs", pop_row);
}

void queries_run_tunnel_list(struct session *s, const struct session_args *args)
{
	const char *params[] = { s->account, tunnel_of_login(s) };

	(void)args;
	session_ask(s, STORE_TUNNEL_LIST, params, tunnel_list_answered);
}

void queries_run_route_list(struct session *s, const struct session_args *args)
{
	const char *params[] = { s->account, tunnel_of_login(s) };

	(void)args;
	session_ask(s, STORE_ROUTE_LIST, params, route_list_answered);
}

void queries_run_pop_list(struct session *s, const struct session_args *args)
{
	(void)args;
	session_ask(s, STORE_POP_LIST, NULL, pop_list_answered);
}

/* Records */

enum { FIELDS_MAX = 16 };

struct field {
	const char *key; /* NULL ends the table */
	size_t col;
	/* bytes shown of a value; a test proves that the longest ones fit a reply together */
	int max;
	const char *prefix; /* of the value, or NULL */
};

/* Clients match keys by prefix and the last match wins, so no key may begin with another one,
 * except for those that always did. */
static const struct field tunnel_fields[FIELDS_MAX] = {
	{ "TunnelId", TUNNEL_ID, 10, "T" },
	{ "Type", TUNNEL_TYPE, 16, NULL },
	{ "IPv6 Endpoint", TUNNEL_IPV6_ENDPOINT, 45, NULL },
	{ "IPv6 POP", TUNNEL_IPV6_POP, 45, NULL },
	{ "IPv6 PrefixLength", TUNNEL_PREFIX_LENGTH, 3, NULL },
	{ "Tunnel MTU", TUNNEL_MTU, 5, NULL },
	{ "Tunnel Name", TUNNEL_NAME, 100, NULL },
	{ "POP Id", TUNNEL_POP, 32, NULL },
	{ "IPv4 Endpoint", TUNNEL_IPV4_ENDPOINT, 15, NULL },
	{ "IPv4 POP", TUNNEL_IPV4_POP, 15, NULL },
	{ "UserState", TUNNEL_USER_STATE, 8, NULL },
	{ "AdminState", TUNNEL_ADMIN_STATE, 8, NULL },
	{ "Password", TUNNEL_PASSWORD, 64, NULL },
	{ "Heartbeat_Interval", TUNNEL_HEARTBEAT, 10, NULL },
};

static const struct field pop_fields[FIELDS_MAX] = {
	{ "POPId", POP_ID, 32, NULL },           { "City", POP_CITY, 60, NULL },
	{ "Country", POP_COUNTRY, 60, NULL },    { "IPv4", POP_IPV4, 15, NULL },
	{ "IPv6", POP_IPV6, 45, NULL },          { "ISP Short", POP_ISP_SHORT, 60, NULL },
	{ "ISP Name", POP_ISP_NAME, 100, NULL }, { "ISP Website", POP_ISP_WEBSITE, 200, NULL },
	{ "ISP ASN", POP_ISP_ASN, 20, NULL },    { "ISP LIR", POP_ISP_LIR, 60, NULL },
};

static const struct field route_fields[FIELDS_MAX] = {
	{ "RouteId", ROUTE_ID, 10, "R" },     { "TunnelId", ROUTE_TUNNEL, 10, "T" },
	{ "Prefix", ROUTE_PREFIX, 49, NULL }, { "POP Id", ROUTE_POP, 32, NULL },
	{ "State", ROUTE_STATE, 20, NULL },   { "Created", ROUTE_CREATED, 40, NULL },
};

static void say_record(struct session *s, const struct store_answer *a, const char *title,
		       const struct field *fields)
{
	struct reply reply;

	reply_init(&reply);
	reply_line(&reply, "201 Showing %s", title);
	for (; fields->key; fields++)
		reply_field(&reply, fields->key, fields->prefix ? fields->prefix : "",
			    store_cell(a, 0, fields->col), fields->max);
	reply_line(&reply, "202 Done");
	session_put(s, &reply);
}

/* True when there is a row; else the error, or `none` and the subject, has been said. */
static bool has_row(struct session *s, const struct store_answer *a, const char *none)
{
	if (a->err != 0)
		session_say_error(s, a);
	else if (a->rows == 0)
		session_say(s, "500 %s%s", none, s->subject);
	return a->err == 0 && a->rows > 0;
}

static void tunnel_show_answered(struct session *s, const struct store_answer *a)
{
	char title[64];

	if (a->err == -ERR_REFUSED) {
		session_say(s, "500 %s See %s/ for more information.", a->message, s->env->url);
		return;
	}
	if (!has_row(s, a, "You have no tunnel T"))
		return;
	if (strcmp(store_cell(a, 0, TUNNEL_POP_STATE), "up") != 0) {
		session_say(
			s,
			"500 This PoP is unfortunately currently down, see %s/pops/status/ for more information.",
			s->env->url);
		return;
	}
	session_set_state(s, SESSION_MAIN);
	snprintf(title, sizeof(title), "tunnel information for T%s", s->subject);
	say_record(s, a, title, tunnel_fields);
}

static void route_show_answered(struct session *s, const struct store_answer *a)
{
	char title[64];

	if (!has_row(s, a, "You have no subnet R"))
		return;
	snprintf(title, sizeof(title), "subnet information for R%s", s->subject);
	say_record(s, a, title, route_fields);
}

static void pop_show_answered(struct session *s, const struct store_answer *a)
{
	char title[64];

	if (!has_row(s, a, "There is no PoP "))
		return;
	snprintf(title, sizeof(title), "PoP information for %s", s->subject);
	say_record(s, a, title, pop_fields);
}

/* Puts the number of "T12" or "12" into `subject`; rejects anything else. */
static bool take_tunnel(struct session *s, struct token token)
{
	uint32_t id;

	if (num_parse_tunnel_id(token.text, token.len, &id) != 0) {
		session_reject(s, "400 A tunnel is T and its number, such as T12");
		return false;
	}
	snprintf(s->subject, sizeof(s->subject), "%u", id);
	return true;
}

/* Puts the number of "R12" or "12" into `subject`; rejects anything else. */
static bool take_route(struct session *s, struct token token)
{
	uint64_t id;

	if (token.len > 0 && (token.text[0] == 'R' || token.text[0] == 'r')) {
		token.text++;
		token.len--;
	}
	if (num_parse_u64(token.text, token.len, 1, INT32_MAX, &id) != 0) {
		session_reject(s, "400 A subnet is R and its number, such as R12");
		return false;
	}
	snprintf(s->subject, sizeof(s->subject), "%llu", (unsigned long long)id);
	return true;
}

void queries_run_tunnel_show(struct session *s, const struct session_args *args)
{
	const char *params[] = { s->account, tunnel_of_login(s), s->subject,
				 s->login_id[0] != '\0' ? s->login_id : NULL };

	if (take_tunnel(s, args->at[0]))
		session_ask(s, STORE_TUNNEL_SHOW, params, tunnel_show_answered);
}

void queries_run_route_show(struct session *s, const struct session_args *args)
{
	const char *params[] = { s->account, tunnel_of_login(s), s->subject };

	if (take_route(s, args->at[0]))
		session_ask(s, STORE_ROUTE_SHOW, params, route_show_answered);
}

/* PoP names are lower case; the client may use either. */
void queries_run_pop_show(struct session *s, const struct session_args *args)
{
	const char *params[] = { s->subject };

	if (args->at[0].len >= sizeof(s->subject)) {
		session_say(s, "500 There is no PoP with such a long name");
		return;
	}
	token_copy(args->at[0], s->subject, sizeof(s->subject));
	for (char *c = s->subject; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	session_ask(s, STORE_POP_SHOW, params, pop_show_answered);
}

/* Changes */

static void change_answered(struct session *s, const struct store_answer *a)
{
	if (has_row(s, a, "You have no tunnel T"))
		session_say(s, "200 %s", store_cell(a, 0, 0));
}

static void set_endpoint(struct session *s, struct token value)
{
	char address[IP4_TEXT];
	const char *params[] = { s->account, tunnel_of_login(s), s->subject, address };
	struct ip4 ip;

	if (token_is(value, "current")) {
		if (!s->peer.is_ip4) {
			session_say(
				s,
				"500 You are connected over IPv6; give the IPv4 address of the new endpoint");
			return;
		}
		snprintf(address, sizeof(address), "%.*s", IP4_TEXT - 1, s->peer.text);
	} else if (ip4_parse(value.text, value.len, &ip) == 0) {
		ip4_text(ip, address);
	} else {
		session_reject(s,
			       "400 An endpoint is an IPv4 address such as 192.0.2.1, or current");
		return;
	}
	session_ask(s, STORE_TUNNEL_ENDPOINT, params, change_answered);
}

static void set_state(struct session *s, struct token value)
{
	bool enabled = token_is(value, "enabled");
	const char *params[] = { s->account, tunnel_of_login(s), s->subject, enabled ? "t" : "f" };

	if (!enabled && !token_is(value, "disabled")) {
		session_reject(s, "400 A state is either enabled or disabled");
		return;
	}
	session_ask(s, STORE_TUNNEL_STATE, params, change_answered);
}

void queries_run_tunnel_set(struct session *s, const struct session_args *args)
{
	if (!take_tunnel(s, args->at[0]))
		return;
	if (token_is(args->at[1], "endpoint"))
		set_endpoint(s, args->at[2]);
	else if (token_is(args->at[1], "state"))
		set_state(s, args->at[2]);
	else
		session_reject(s, "400 Only endpoint and state can be set");
}
