/*
 * libinih splits the lines, which it gets from a reader of our own: read_line counts them (libinih
 * does not pass the number to its handler) and refuses what libinih would silently cut, a line too
 * long or a NUL. The first error is reported.
 */
#include "lib/config.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/err.h"
#include "lib/ip.h"
#include "lib/num.h"

enum { LINE_LIMIT = 4096 };

struct load {
	const char *path;
	const struct config_key *keys;
	size_t n;
	void *out;
	FILE *file;
	char *line_text; /* getline's */
	size_t line_size;
	int line;    /* the one being read, from 1 */
	bool *given; /* by key: the file has it */
	int err;     /* the first one */
	int err_line;
	char *error;
};

static void fail(struct load *l, int err, const char *fmt, ...) FORMAT(3, 4);
static void fail(struct load *l, int err, const char *fmt, ...)
{
	if (l->err)
		return;
	l->err = -err;
	l->err_line = l->line;
	int used = snprintf(l->error, CONFIG_ERROR_TEXT, "%.255s:%d: ", l->path, l->line);
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(l->error + used, CONFIG_ERROR_TEXT - (size_t)used, fmt, ap);
	va_end(ap);
}

static void *field(const struct config_key *key, void *conf)
{
	return (char *)conf + key->offset;
}

static const void *const_field(const struct config_key *key, const void *conf)
{
	return (const char *)conf + key->offset;
}

/* Secrets are wiped. */
static void free_text(const struct config_key *key, char *text)
{
	if (text && key->type == CONFIG_SECRET)
		explicit_bzero(text, strlen(text));
	free(text);
}

static int set_text(const struct config_key *key, const char *value, void *out)
{
	size_t len = strlen(value);

	if ((int64_t)len < key->min || (int64_t)len > key->max)
		return -ERR_RANGE;
	char *copy = strdup(value);
	if (!copy)
		return -ERR_NOMEM;
	char **text = out;
	free_text(key, *text);
	*text = copy;
	return 0;
}

static int set_bool(const char *value, bool *out)
{
	static const char *const names[][2] = {
		{ "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" }
	};

	for (size_t i = 0; i < 2 * ARRAY_LEN(names); i++) {
		if (strcasecmp(value, names[i / 2][i % 2]) == 0) {
			*out = i % 2;
			return 0;
		}
	}
	return -ERR_FORMAT;
}

static int set_choice(const struct config_key *key, const char *value, int64_t *out)
{
	for (int64_t i = 0; key->choices[i]; i++) {
		if (strcmp(value, key->choices[i]) == 0) {
			*out = i;
			return 0;
		}
	}
	return -ERR_UNKNOWN;
}

static int set_listen(const char *value, struct config_listen *out)
{
	const char *colon = strrchr(value, ':');
	uint64_t port;

	if (!colon || num_parse_u64(colon + 1, strlen(colon + 1), 0, UINT16_MAX, &port) != 0)
		return -ERR_FORMAT;
	bool is_ip6 = value[0] == '[' && colon[-1] == ']';
	const char *host = value + is_ip6;
	size_t len = (size_t)(colon - host) - is_ip6;
	struct ip4 ip4;
	struct ip6 ip6;
	if (is_ip6 ? ip6_parse(host, len, &ip6) : ip4_parse(host, len, &ip4))
		return -ERR_FORMAT;
	*out = (struct config_listen){ .port = (uint16_t)port, .is_ip6 = is_ip6 };
	memcpy(out->host, host, len);
	return 0;
}

static int set_listen_or_off(const char *value, struct config_listen *out)
{
	if (strcmp(value, "off") != 0)
		return set_listen(value, out);
	*out = (struct config_listen){ .port = 0 };
	return 0;
}

/* An empty value of a key whose default is empty: the field stays zero. */
static bool is_absent(const struct config_key *key, const char *value)
{
	return value[0] == '\0' && key->def && key->def[0] == '\0' && key->type != CONFIG_TEXT &&
	       key->type != CONFIG_SECRET;
}

static int set_value(const struct config_key *key, const char *value, void *conf)
{
	void *out = field(key, conf);

	if (is_absent(key, value))
		return 0;
	switch (key->type) {
	case CONFIG_TEXT:
	case CONFIG_SECRET:
		return set_text(key, value, out);
	case CONFIG_NUMBER:
		return num_parse_i64(value, strlen(value), key->min, key->max, out);
	case CONFIG_BOOL:
		return set_bool(value, out);
	case CONFIG_IP4:
		return ip4_parse(value, strlen(value), out);
	case CONFIG_IP6:
		return ip6_parse(value, strlen(value), out);
	case CONFIG_LISTEN:
		return set_listen(value, out);
	case CONFIG_LISTEN_OR_OFF:
		return set_listen_or_off(value, out);
	case CONFIG_CHOICE:
		return set_choice(key, value, out);
	}
	return -ERR_UNKNOWN;
}

/* What the value of the key must be, for the sentence about a bad one. */
static const char *expectation(const struct config_key *key, char *buf, size_t size)
{
	size_t used = 0;

	switch (key->type) {
	case CONFIG_TEXT:
	case CONFIG_SECRET:
		snprintf(buf, size, "%lld to %lld characters", (long long)key->min,
			 (long long)key->max);
		return buf;
	case CONFIG_NUMBER:
		snprintf(buf, size, "a number from %lld to %lld", (long long)key->min,
			 (long long)key->max);
		return buf;
	case CONFIG_BOOL:
		return "yes or no";
	case CONFIG_IP4:
		return "an IPv4 address";
	case CONFIG_IP6:
		return "an IPv6 address";
	case CONFIG_LISTEN:
		return "address:port, an IPv6 address in brackets";
	case CONFIG_LISTEN_OR_OFF:
		return "address:port, an IPv6 address in brackets, or off";
	case CONFIG_CHOICE:
		for (size_t i = 0; key->choices[i] && used < size; i++)
			used += (size_t)snprintf(buf + used, size - used, "%s%s",
						 i ? ", " : "one of ", key->choices[i]);
		return buf;
	}
	return "a value";
}

static void set_or_fail(struct load *l, const struct config_key *key, const char *value)
{
	char buf[160];
	int err = set_value(key, value, l->out);

	if (err == -ERR_NOMEM)
		fail(l, err, "out of memory");
	else if (err && key->type == CONFIG_SECRET)
		fail(l, err, "[%s] %s must be %s", key->section, key->name,
		     expectation(key, buf, sizeof(buf)));
	else if (err)
		fail(l, err, "[%s] %s = %.100s: must be %s", key->section, key->name, value,
		     expectation(key, buf, sizeof(buf)));
}

static const struct config_key *find_key(const struct load *l, const char *section,
					 const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->keys[i].section, section) == 0 && strcmp(l->keys[i].name, name) == 0)
			return &l->keys[i];
	}
	return NULL;
}

static bool has_section(const struct load *l, const char *section, size_t len)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strlen(l->keys[i].section) == len &&
		    memcmp(l->keys[i].section, section, len) == 0)
			return true;
	}
	return false;
}

/* libinih's handler: one key with its value. Always succeeds, so that libinih's own result is only
 * about the form of a line. */
static int take_key(void *arg, const char *section, const char *name, const char *value)
{
	struct load *l = arg;
	const struct config_key *key = find_key(l, section, name);

	if (!key) {
		fail(l, -ERR_UNKNOWN, "[%.60s] %.60s: unknown key", section, name);
	} else if (l->given[key - l->keys]) {
		fail(l, -ERR_EXISTS, "[%s] %s is given twice", section, name);
	} else {
		l->given[key - l->keys] = true;
		set_or_fail(l, key, value);
	}
	return 1;
}

/* libinih does not report a section without keys. */
static void check_section(struct load *l, const char *line)
{
	line += strspn(line, " \t");
	const char *end = line[0] == '[' ? strchr(line, ']') : NULL;
	if (end && !has_section(l, line + 1, (size_t)(end - line - 1)))
		fail(l, -ERR_UNKNOWN, "[%.*s]: unknown section",
		     (int)(end - line - 1 > 60 ? 60 : end - line - 1), line + 1);
}

/* libinih's reader, in the place of fgets. */
static char *read_line(char *str, int size, void *arg)
{
	struct load *l = arg;

	if (l->err)
		return NULL;
	ssize_t len = getline(&l->line_text, &l->line_size, l->file);
	if (len < 0) {
		if (ferror(l->file))
			fail(l, -ERR_SYS, "cannot be read: %s", strerror(errno));
		return NULL;
	}
	l->line++;
	if (len >= size)
		fail(l, -ERR_RANGE, "the line is longer than %d characters", LINE_LIMIT);
	else if (memchr(l->line_text, '\0', (size_t)len))
		fail(l, -ERR_FORMAT, "the line has a NUL character");
	if (l->err)
		return NULL;
	memcpy(str, l->line_text, (size_t)len + 1);
	check_section(l, str);
	return str;
}

/* No continuation lines, and a ';' inside a value is part of it. */
static int parse_file(struct load *l)
{
	ini_allow_multiline = false;
	ini_allow_inline_comments = false;
	ini_use_stack = false;
	ini_max_line = LINE_LIMIT + 3;
	ini_initial_alloc = LINE_LIMIT + 3;
	return ini_parse_stream(read_line, l, take_key, l);
}

static void load_all(struct load *l)
{
	for (size_t i = 0; i < l->n && !l->err; i++) {
		if (l->keys[i].def)
			set_or_fail(l, &l->keys[i], l->keys[i].def);
	}
	if (l->err)
		return;
	int bad_line = parse_file(l);
	if (bad_line > 0 && (!l->err || bad_line < l->err_line)) {
		l->err = 0;
		l->line = bad_line;
		fail(l, -ERR_FORMAT, "neither [section] nor key = value");
	} else if (bad_line < 0) {
		fail(l, -ERR_NOMEM, "out of memory");
	}
	for (size_t i = 0; i < l->n && !l->err; i++) {
		if (!l->keys[i].def && !l->given[i])
			fail(l, -ERR_NOT_FOUND, "[%s] %s is missing", l->keys[i].section,
			     l->keys[i].name);
	}
}

int config_read(FILE *file, const char *path, const struct config_key *keys, size_t n, void *out,
		char error[static CONFIG_ERROR_TEXT])
{
	struct load l = {
		.path = path, .keys = keys, .n = n, .out = out, .file = file, .error = error
	};

	error[0] = '\0';
	l.given = calloc(n ? n : 1, sizeof(*l.given));
	if (l.given)
		load_all(&l);
	else
		fail(&l, -ERR_NOMEM, "out of memory");
	free(l.given);
	if (l.line_text)
		explicit_bzero(l.line_text, l.line_size);
	free(l.line_text);
	if (l.err)
		config_free(keys, n, out);
	return -l.err;
}

int config_load(const char *path, const struct config_key *keys, size_t n, void *out,
		char error[static CONFIG_ERROR_TEXT])
{
	FILE *file = fopen(path, "re");

	if (!file) {
		snprintf(error, CONFIG_ERROR_TEXT, "%.255s: cannot be opened: %s", path,
			 strerror(errno));
		return -ERR_SYS;
	}
	int err = config_read(file, path, keys, n, out, error);
	fclose(file);
	return err;
}

static void dump_value(FILE *f, const struct config_key *key, const void *conf)
{
	const void *value = const_field(key, conf);
	char text[IP6_TEXT];

	switch (key->type) {
	case CONFIG_TEXT:
	case CONFIG_SECRET:
		fputs(*(const char *const *)value, f);
		break;
	case CONFIG_NUMBER:
		fprintf(f, "%lld", (long long)*(const int64_t *)value);
		break;
	case CONFIG_BOOL:
		fputs(*(const bool *)value ? "yes" : "no", f);
		break;
	case CONFIG_IP4:
		fputs(ip4_text(*(const struct ip4 *)value, text), f);
		break;
	case CONFIG_IP6:
		fputs(ip6_text(value, text), f);
		break;
	case CONFIG_LISTEN:
	case CONFIG_LISTEN_OR_OFF: {
		const struct config_listen *at = value;
		if (at->host[0] == '\0')
			fputs("off", f);
		else
			fprintf(f, at->is_ip6 ? "[%s]:%u" : "%s:%u", at->host, (unsigned)at->port);
		break;
	}
	case CONFIG_CHOICE:
		fputs(key->choices[*(const int64_t *)value], f);
		break;
	}
}

/* Whether the field is zero because its value is absent. */
static bool is_unset(const struct config_key *key, const void *conf)
{
	static const struct ip6 none;
	const void *value = const_field(key, conf);

	if (!is_absent(key, ""))
		return false;
	switch (key->type) {
	case CONFIG_IP4:
		return ((const struct ip4 *)value)->v == 0;
	case CONFIG_IP6:
		return ip6_equal(value, &none);
	case CONFIG_LISTEN:
		return ((const struct config_listen *)value)->host[0] == '\0';
	default:
		return false;
	}
}

void config_dump(FILE *f, const struct config_key *keys, size_t n, const void *conf)
{
	const char *section = "";

	for (size_t i = 0; i < n; i++) {
		const struct config_key *key = &keys[i];
		if (strcmp(section, key->section) != 0)
			fprintf(f, "%s[%s]\n", i ? "\n" : "", key->section);
		section = key->section;
		fprintf(f, "# %s%s\n", key->help, key->live ? "" : " (restart to change)");
		if (key->type == CONFIG_SECRET) {
			const char *const *text = const_field(key, conf);
			fprintf(f, *text && **text ? "%s = (set)\n" : "# %s = (not set)\n",
				key->name);
			continue;
		}
		fprintf(f, "%s = ", key->name);
		if (!is_unset(key, conf))
			dump_value(f, key, conf);
		fputc('\n', f);
	}
}

void config_free(const struct config_key *keys, size_t n, void *conf)
{
	for (size_t i = 0; i < n; i++) {
		if (keys[i].type != CONFIG_TEXT && keys[i].type != CONFIG_SECRET)
			continue;
		char **text = field(&keys[i], conf);
		free_text(&keys[i], *text);
		*text = NULL;
	}
}
