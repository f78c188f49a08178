#include "ticd/ctl/import.h"

#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/num.h"
#include "lib/rd.h"

enum {
	FIELDS_MAX = 8, /* a config line has at most 7 */
	/* the numbers of a PoP's second tunnel prefix continue: 10005 is its number 5 */
	NUMBER_MAX = INT32_MAX,
	MTU_MAX = 65535, /* the form; the database knows the range */
	FIRST_CAPACITY = 256,
};

/* A blank-separated part of a line. */
struct field {
	const char *text;
	size_t len;
};

static bool field_is(struct field f, const char *text)
{
	return f.len == strlen(text) && memcmp(f.text, text, f.len) == 0;
}

/* Makes space for one more element; the file's size bounds the growth. The old block is wiped,
 * since it may hold secrets. */
static bool grow(void **items, size_t *capacity, size_t n, size_t size)
{
	if (n < *capacity)
		return true;
	size_t larger = *capacity ? *capacity * 2 : FIRST_CAPACITY;
	void *copy = calloc(larger, size);
	if (!copy)
		return false;
	if (n > 0) {
		memcpy(copy, *items, n * size);
		secure_zero(*items, n * size);
	}
	free(*items);
	*items = copy;
	*capacity = larger;
	return true;
}

static int fail(int err, const char **reason, const char *text)
{
	*reason = text;
	return err;
}

static int read_number(struct field f, uint32_t *out, const char **reason)
{
	uint64_t v;
	int err = num_parse_hex(f.text, f.len, NUMBER_MAX, &v);
	if (err)
		return fail(err, reason,
			    err == -ERR_RANGE ? "the tunnel number is above 7fffffff"
					      : "the tunnel number is not hexadecimal");
	*out = (uint32_t)v;
	return 0;
}

/* The endpoint, which also says the type. */
static int read_endpoint(struct field f, struct import_tunnel *t, const char **reason)
{
	if (field_is(f, "ayiya"))
		t->type = IMPORT_AYIYA;
	else if (field_is(f, "heartbeat"))
		t->type = IMPORT_HEARTBEAT;
	else if (ip4_parse(f.text, f.len, &t->endpoint) == 0)
		t->type = IMPORT_STATIC;
	else
		return fail(-ERR_FORMAT, reason,
			    "the endpoint is neither an IPv4 address nor ayiya nor heartbeat");
	return 0;
}

static int read_state(struct field f, struct import_tunnel *t, const char **reason)
{
	t->enabled = field_is(f, "up");
	if (!t->enabled && !field_is(f, "disabled"))
		return fail(-ERR_FORMAT, reason, "the state is neither up nor disabled");
	return 0;
}

static int read_mtu(struct field f, struct import_tunnel *t, const char **reason)
{
	uint64_t v;
	int err = num_parse_u64(f.text, f.len, 1, MTU_MAX, &v);
	if (err)
		return fail(err, reason, "the MTU is not a number from 1 to 65535");
	t->mtu = (uint32_t)v;
	return 0;
}

/* Lower case only: the text itself is hashed, so another case would be another secret. */
static int read_secret(struct field f, struct import_tunnel *t, const char **reason)
{
	bool is_hex = f.len == IMPORT_SECRET_LEN;
	for (size_t i = 0; is_hex && i < f.len; i++)
		is_hex = memchr("0123456789abcdef", f.text[i], 16) != NULL;
	if (!is_hex)
		return fail(-ERR_FORMAT, reason,
			    "the secret is not 32 lower-case hexadecimal digits");
	memcpy(t->secret, f.text, f.len);
	return 0;
}

/* config <number> T<id> <endpoint> <state> <mtu> [<secret>] */
static int read_tunnel(struct import *im, const struct field *f, size_t n, const char **reason)
{
	struct import_tunnel t = { .line = im->line };
	int err;

	if (n < 6)
		return fail(-ERR_TRUNCATED, reason,
			    "a tunnel needs number, T<id>, endpoint, state and MTU");
	if (n > 7)
		return fail(-ERR_TRAILING, reason, "there is text after the secret");
	if ((err = read_number(f[1], &t.number, reason)))
		return err;
	if (f[2].text[0] != 'T' || num_parse_tunnel_id(f[2].text, f[2].len, &t.id))
		return fail(-ERR_FORMAT, reason, "the tunnel id is not T and a number from 1");
	if ((err = read_endpoint(f[3], &t, reason)) || (err = read_state(f[4], &t, reason)) ||
	    (err = read_mtu(f[5], &t, reason)))
		return err;
	if (n == 7 && (err = read_secret(f[6], &t, reason)))
		return err;
	if (n == 6 && t.type != IMPORT_STATIC)
		return fail(-ERR_FORMAT, reason, "an AYIYA or heartbeat tunnel needs its secret");
	void *items = im->tunnels;
	if (!grow(&items, &im->tunnels_capacity, im->n_tunnels, sizeof(t)))
		return fail(-ERR_NOMEM, reason, "out of memory");
	im->tunnels = items;
	im->tunnels[im->n_tunnels++] = t;
	return 0;
}

/* config <prefix> <number> static */
static int read_route(struct import *im, const struct field *f, size_t n, const char **reason)
{
	struct import_route r = { .line = im->line };
	int err;

	if (prefix6_parse(f[1].text, f[1].len, &r.prefix))
		return fail(-ERR_FORMAT, reason,
			    "the prefix is not an IPv6 prefix without host bits");
	if (n != 4 || !field_is(f[3], "static"))
		return fail(-ERR_FORMAT, reason, "a subnet line is: config PREFIX NUMBER static");
	if ((err = read_number(f[2], &r.number, reason)))
		return err;
	void *items = im->routes;
	if (!grow(&items, &im->routes_capacity, im->n_routes, sizeof(r)))
		return fail(-ERR_NOMEM, reason, "out of memory");
	im->routes = items;
	im->routes[im->n_routes++] = r;
	return 0;
}

static int read_config(struct import *im, const struct field *f, size_t n, const char **reason)
{
	if (n < 2)
		return fail(-ERR_TRUNCATED, reason, "config has no arguments");
	return memchr(f[1].text, ':', f[1].len) ? read_route(im, f, n, reason)
						: read_tunnel(im, f, n, reason);
}

/* Lines that open and close blocks, and the lines in a pop block. */
static int read_block(struct import *im, const struct field *f, size_t n, const char **reason)
{
	bool is_top = im->depth == 0;
	if (n == 1 && field_is(f[0], "end")) {
		if (is_top)
			return fail(-ERR_FORMAT, reason, "there is no block to end");
		if (im->depth == im->pop_depth)
			im->pop_depth = 0;
		im->depth--;
		return 0;
	}
	bool opens = n == 1 && (is_top ? field_is(f[0], "pop") || field_is(f[0], "tunnel") ||
						 field_is(f[0], "subnet")
				       : field_is(f[0], "set") ||
						 (im->pop_depth && field_is(f[0], "cliacl")));
	if (opens) {
		im->depth++;
		if (field_is(f[0], "pop"))
			im->pop_depth = im->depth;
		return 0;
	}
	if (im->pop_depth || (is_top && field_is(f[0], "pop")))
		return 0;
	return fail(-ERR_FORMAT, reason, "this is not a config line");
}

/* The fields of a line, at most FIELDS_MAX of them. A field that begins with # ends the line. */
static size_t split(const char *text, size_t len, struct field f[static FIELDS_MAX])
{
	struct rd r = rd_init(text, len);
	size_t n = 0;
	while (n < FIELDS_MAX) {
		f[n].text = rd_token(&r, &f[n].len);
		if (!f[n].text || f[n].text[0] == '#')
			break;
		n++;
	}
	return n;
}

int import_line(struct import *im, const char *text, size_t len, const char **reason)
{
	struct field fields[FIELDS_MAX];

	im->line++;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	if (len > IMPORT_LINE_MAX)
		return fail(-ERR_RANGE, reason, "the line is too long");
	size_t n = split(text, len, fields);
	if (n == 0)
		return 0;
	if (!im->pop_depth && field_is(fields[0], "config"))
		return read_config(im, fields, n, reason);
	return read_block(im, fields, n, reason);
}

int import_text(struct import *im, const char *text, size_t len, const char **reason)
{
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line_len = end ? (size_t)(end - text) : len, step = line_len + (end != NULL);
		int err = import_line(im, text, line_len, reason);
		if (err)
			return err;
		text += step;
		len -= step;
	}
	if (im->depth > 0)
		return fail(-ERR_TRUNCATED, reason, "the file ends inside a block");
	return 0;
}

void import_free(struct import *im)
{
	for (size_t i = 0; i < im->n_tunnels; i++)
		secure_zero(im->tunnels[i].secret, sizeof(im->tunnels[i].secret));
	free(im->tunnels);
	free(im->routes);
	*im = (struct import){ 0 };
}
