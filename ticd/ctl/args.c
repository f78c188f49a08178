#include "ticd/ctl/args.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/err.h"
#include "lib/ip.h"
#include "lib/num.h"
#include "lib/utf8.h"

/* A reader returns whether `text` is of its kind, and may write another spelling of it to `out`
 * (else `text` is the value). */
typedef bool arg_reader(const struct param *p, const char *text, char out[static ARG_SPELLED]);

static bool read_text(const struct param *p, const char *text, char out[static ARG_SPELLED])
{
	(void)out;
	return utf8_is_valid(text) && (*text || p->kind == ARG_VALUE);
}

static bool read_number(const struct param *p, const char *text, char out[static ARG_SPELLED])
{
	uint64_t v;
	(void)p;
	if (num_parse_u64(text, strlen(text), 0, INT32_MAX, &v))
		return false;
	snprintf(out, ARG_SPELLED, "%llu", (unsigned long long)v);
	return true;
}

static bool read_amount(const struct param *p, const char *text, char out[static ARG_SPELLED])
{
	int64_t v;
	(void)p;
	if (text[0] == '+' && text[1] != '-')
		text++;
	if (num_parse_i64(text, strlen(text), INT32_MIN, INT32_MAX, &v))
		return false;
	snprintf(out, ARG_SPELLED, "%lld", (long long)v);
	return true;
}

static bool read_floor(const struct param *p, const char *text, char out[static ARG_SPELLED])
{
	return strcmp(text, "none") == 0 || read_amount(p, text, out);
}

/* A number from 1, with or without its letter. */
static bool read_id(const struct param *p, const char *text, char out[static ARG_SPELLED])
{
	char letter = p->kind == ARG_TUNNEL ? 'T' : 'R';
	uint64_t v;
	if (text[0] == letter || text[0] == letter - 'A' + 'a')
		text++;
	if (num_parse_u64(text, strlen(text), 1, INT32_MAX, &v))
		return false;
	snprintf(out, ARG_SPELLED, "%llu", (unsigned long long)v);
	return true;
}

static bool read_ip4(const struct param *p, const char *text, char out[static ARG_SPELLED])
{
	struct ip4 ip;
	(void)p;
	if (ip4_parse(text, strlen(text), &ip))
		return false;
	ip4_text(ip, out);
	return true;
}

static bool read_ip6(const struct param *p, const char *text, char out[static ARG_SPELLED])
{
	struct ip6 ip;
	(void)p;
	if (ip6_parse(text, strlen(text), &ip))
		return false;
	ip6_text(&ip, out);
	return true;
}

static bool read_prefix6(const struct param *p, const char *text, char out[static ARG_SPELLED])
{
	struct prefix6 prefix;
	(void)p;
	if (prefix6_parse(text, strlen(text), &prefix))
		return false;
	prefix6_text(&prefix, out);
	return true;
}

/* A day of the calendar: one that timegm moves (the 31st of November) is invalid. */
static bool read_date(const struct param *p, const char *text, char out[static ARG_SPELLED])
{
	uint64_t year, month, day;
	(void)p;
	(void)out;
	if (strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
	    num_parse_u64(text, 4, 1970, 9999, &year) ||
	    num_parse_u64(text + 5, 2, 1, 12, &month) || num_parse_u64(text + 8, 2, 1, 31, &day))
		return false;
	struct tm tm = { .tm_year = (int)year - 1900,
			 .tm_mon = (int)month - 1,
			 .tm_mday = (int)day };
	timegm(&tm);
	return tm.tm_mday == (int)day;
}

static bool read_choice(const struct param *p, const char *text, char out[static ARG_SPELLED])
{
	size_t len = strlen(text);
	(void)out;
	for (const char *choice = p->meta;; choice++) {
		size_t choice_len = strcspn(choice, "|");
		if (len == choice_len && memcmp(text, choice, len) == 0)
			return true;
		choice += choice_len;
		if (*choice == '\0')
			return false;
	}
}

static const struct {
	arg_reader *read;
	const char *expected; /* "<name> must be ..." */
} kinds[] = {
	[ARG_TEXT] = { read_text, "UTF-8 text that is not empty" },
	[ARG_VALUE] = { read_text, "UTF-8 text" },
	[ARG_NUMBER] = { read_number, "a number" },
	[ARG_AMOUNT] = { read_amount, "an amount such as 5, +5 or -5" },
	[ARG_FLOOR] = { read_floor, "a number, or none" },
	[ARG_TUNNEL] = { read_id, "a tunnel such as T7" },
	[ARG_SUBNET] = { read_id, "a subnet such as R3" },
	[ARG_IP4] = { read_ip4, "an IPv4 address" },
	[ARG_IP6] = { read_ip6, "an IPv6 address" },
	[ARG_PREFIX6] = { read_prefix6, "an IPv6 prefix without host bits" },
	[ARG_DATE] = { read_date, "a date such as 2026-11-23" },
	[ARG_CHOICE] = { read_choice, NULL }, /* the choices */
	[ARG_FLAG] = { NULL, NULL },
	[ARG_FIXED] = { NULL, NULL },
	[ARG_MD5] = { NULL, NULL },
	[ARG_SHA256] = { NULL, NULL },
	[ARG_VERIFIER] = { NULL, NULL },
};
_Static_assert(ARRAY_LEN(kinds) == ARG__COUNT, "a row for every kind");

/* Reads `text` as the value of parameter `i`. */
static int set_value(const struct param *p, size_t i, const char *text, struct args *out,
		     struct fault *fault)
{
	if (out->value[i])
		return fault_set(fault, -ERR_FORMAT, "usage", "%s is given twice", p->name);
	out->spelled[i][0] = '\0';
	if (!kinds[p->kind].read(p, text, out->spelled[i]))
		return fault_set(fault, -ERR_FORMAT, "usage", "%s must be %s%s, not '%s'", p->name,
				 kinds[p->kind].expected ? "" : "one of ",
				 kinds[p->kind].expected ? kinds[p->kind].expected : p->meta, text);
	out->value[i] = out->spelled[i][0] ? out->spelled[i] : text;
	return 0;
}

/* `--name VALUE`, `--name=VALUE` or a flag; *used: how many arguments that were. A separate value
 * may not begin with "--", which would be a forgotten value; `--name=--text` is possible. */
static int read_option(const struct param *params, char *const *argv, size_t argc, size_t *used,
		       struct args *out, struct fault *fault)
{
	const char *option = argv[0], *equals = strchr(option, '=');
	size_t len = equals ? (size_t)(equals - option) : strlen(option);

	*used = 1;
	for (size_t i = 0; params[i].name; i++) {
		const struct param *p = &params[i];
		if (!param_is_option(p) || strlen(p->name) != len ||
		    memcmp(p->name, option, len) != 0)
			continue;
		if (p->kind == ARG_FLAG) {
			if (equals)
				return fault_set(fault, -ERR_FORMAT, "usage", "%s takes no value",
						 p->name);
			out->value[i] = "true";
			return 0;
		}
		if (equals)
			return set_value(p, i, equals + 1, out, fault);
		if (argc < 2 || strncmp(argv[1], "--", 2) == 0)
			return fault_set(fault, -ERR_FORMAT, "usage", "%s needs a value", p->name);
		*used = 2;
		return set_value(p, i, argv[1], out, fault);
	}
	return fault_set(fault, -ERR_FORMAT, "usage", "unknown option %.*s", (int)len, option);
}

/* Sets the next positional parameter that has no value yet. */
static int read_positional(const struct param *params, const char *text, struct args *out,
			   struct fault *fault)
{
	for (size_t i = 0; params[i].name; i++)
		if ((!param_is_option(&params[i]) || params[i].bare) &&
		    !param_is_hidden(&params[i]) && !out->value[i])
			return set_value(&params[i], i, text, out, fault);
	return fault_set(fault, -ERR_FORMAT, "usage", "unexpected argument '%s'", text);
}

/* Sets fixed values and flags that were not given; a fault when a value is missing. */
static int complete(const struct param *params, struct args *out, struct fault *fault)
{
	for (out->n = 0; params[out->n].name; out->n++) {
		const struct param *p = &params[out->n];
		const char **value = &out->value[out->n];
		if (p->kind == ARG_FIXED)
			*value = p->fixed;
		else if (p->kind == ARG_FLAG && !*value)
			*value = "false";
		else if (!*value && !p->optional && !param_is_hidden(p))
			return fault_set(fault, -ERR_FORMAT, "usage", "%s is missing", p->name);
	}
	return 0;
}

int args_parse(const struct param *params, char *const *argv, size_t argc, struct args *out,
	       struct fault *fault)
{
	bool no_options = false; /* after "--" */

	*out = (struct args){ 0 };
	for (size_t at = 0, used; at < argc; at += used) {
		const char *text = argv[at];
		int err = 0;
		used = 1;
		if (!no_options && strcmp(text, "--") == 0)
			no_options = true;
		else if (!no_options && text[0] == '-' &&
			 (text[1] == '-' || (text[1] >= 'a' && text[1] <= 'z')))
			err = read_option(params, argv + at, argc - at, &used, out, fault);
		else
			err = read_positional(params, text, out, fault);
		if (err)
			return err;
	}
	return complete(params, out, fault);
}
