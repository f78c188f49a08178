#include "ticd/ctl/import.h"

#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/num.h"
#include "lib/rd.h"

enum {
	WORDS_MAX = 8, /* a config line has at most 7 */
	NUMBER_MAX =
		/* a PoP with several tunnel prefixes numbers on: 10005 is number 5 of the second */
	INT32_MAX,
	MTU_MAX = 65535, /* the form; the database knows the range */
	ROOM_FIRST = 256,
};

struct word {
	const char *text;
	size_t len;
};

static bool is_word(struct word w, const char *text)
{
	return w.len == strlen(text) && memcmp(w.text, text, w.len) == 0;
}

/* Makes room for one more element. The file's size bounds the growth. */
static bool grow(void **items, size_t *room, size_t n, size_t size)
{
	if (n < *room)
		return true;
	size_t wanted = *room ? *room * 2 : ROOM_FIRST;
	void *bigger = reallocarray(*items, wanted, size);
	if (!bigger)
		return false;
	*items = bigger;
	*room = wanted;
	return true;
}

static int fail(int err, const char **reason, const char *text)
{
	*reason = text;
	return err;
}

static int read_number(struct word w, uint32_t *out, const char **reason)
{
	uint64_t v;
	int err = num_parse_hex(w.text, w.len, NUMBER_MAX, &v);
	if (err)
		return fail(err, reason,
			    err == -ERR_RANGE ? "the tunnel number is above 7fffffff"
					      : "the tunnel number is not hexadecimal");
	*out = (uint32_t)v;
	return 0;
}

/* The fourth word: where the other end is. */
static int read_endpoint(struct word w, struct import_tunnel *t, const char **reason)
{
	if (is_word(w, "ayiya"))
		t->type = IMPORT_AYIYA;
	else if (is_word(w, "heartbeat"))
		t->type = IMPORT_HEARTBEAT;
	else if (ip4_parse(w.text, w.len, &t->endpoint) == 0)
		t->type = IMPORT_STATIC;
	else
		return fail(-ERR_FORMAT, reason,
			    "the endpoint is neither an IPv4 address nor ayiya nor heartbeat");
	return 0;
}

static int read_state(struct word w, struct import_tunnel *t, const char **reason)
{
	t->enabled = is_word(w, "up");
	if (!t->enabled && !is_word(w, "disabled"))
		return fail(-ERR_FORMAT, reason, "the state is neither up nor disabled");
	return 0;
}

static int read_mtu(struct word w, struct import_tunnel *t, const char **reason)
{
	uint64_t v;
	int err = num_parse_u64(w.text, w.len, 1, MTU_MAX, &v);
	if (err)
		return fail(err, reason, "the MTU is not a number from 1 to 65535");
	t->mtu = (uint32_t)v;
	return 0;
}

/* Lower case only: the secret is hashed as the text it is, so another case would be another secret.
 */
static int read_secret(struct word w, struct import_tunnel *t, const char **reason)
{
	bool is_hex = w.len == IMPORT_SECRET_LEN;
	for (size_t i = 0; is_hex && i < w.len; i++)
		is_hex = memchr("0123456789abcdef", w.text[i], 16) != NULL;
	if (!is_hex)
		return fail(-ERR_FORMAT, reason,
			    "the secret is not 32 lower-case hexadecimal digits");
	memcpy(t->secret, w.text, w.len);
	return 0;
}

/* config <number> T<id> <endpoint> <state> <mtu> [<secret>] */
static int read_tunnel(struct import *im, const struct word *w, size_t n, const char **reason)
{
	struct import_tunnel t = { .line = im->line };
	int err;

	if (n < 6)
		return fail(-ERR_TRUNCATED, reason,
			    "a tunnel needs number, T<id>, endpoint, state and MTU");
	if (n > 7)
		return fail(-ERR_TRAILING, reason, "there are words after the secret");
	if ((err = read_number(w[1], &t.number, reason)))
		return err;
	if (w[2].text[0] != 'T' || num_parse_tunnel_id(w[2].text, w[2].len, &t.id))
		return fail(-ERR_FORMAT, reason, "the tunnel id is not T and a number from 1");
	if ((err = read_endpoint(w[3], &t, reason)) || (err = read_state(w[4], &t, reason)) ||
	    (err = read_mtu(w[5], &t, reason)))
		return err;
	if (n == 7 && (err = read_secret(w[6], &t, reason)))
		return err;
	if (n == 6 && t.type != IMPORT_STATIC)
		return fail(-ERR_FORMAT, reason, "an AYIYA or heartbeat tunnel needs its secret");
	void *items = im->tunnels;
	if (!grow(&items, &im->tunnels_room, im->n_tunnels, sizeof(t)))
		return fail(-ERR_NOMEM, reason, "out of memory");
	im->tunnels = items;
	im->tunnels[im->n_tunnels++] = t;
	return 0;
}

/* config <prefix> <number> static */
static int read_route(struct import *im, const struct word *w, size_t n, const char **reason)
{
	struct import_route r = { .line = im->line };
	int err;

	if (prefix6_parse(w[1].text, w[1].len, &r.prefix))
		return fail(-ERR_FORMAT, reason,
			    "the prefix is not an IPv6 prefix without bits beyond its length");
	if (n != 4 || !is_word(w[3], "static"))
		return fail(-ERR_FORMAT, reason,
			    "a subnet is a prefix, a tunnel number and the word static");
	if ((err = read_number(w[2], &r.number, reason)))
		return err;
	void *items = im->routes;
	if (!grow(&items, &im->routes_room, im->n_routes, sizeof(r)))
		return fail(-ERR_NOMEM, reason, "out of memory");
	im->routes = items;
	im->routes[im->n_routes++] = r;
	return 0;
}

static int read_config(struct import *im, const struct word *w, size_t n, const char **reason)
{
	if (n < 2)
		return fail(-ERR_TRUNCATED, reason, "config says nothing");
	return memchr(w[1].text, ':', w[1].len) ? read_route(im, w, n, reason)
						: read_tunnel(im, w, n, reason);
}

/* Lines that open and close blocks, and what a pop block holds. */
static int read_block(struct import *im, const struct word *w, size_t n, const char **reason)
{
	bool is_top = im->depth == 0;
	if (n == 1 && is_word(w[0], "end")) {
		if (is_top)
			return fail(-ERR_FORMAT, reason, "end closes nothing");
		if (im->depth == im->pop_depth)
			im->pop_depth = 0;
		im->depth--;
		return 0;
	}
	bool opens = n == 1 &&
		     (is_top ? is_word(w[0], "pop") || is_word(w[0], "tunnel") ||
				       is_word(w[0], "subnet")
			     : is_word(w[0], "set") || (im->pop_depth && is_word(w[0], "cliacl")));
	if (opens) {
		im->depth++;
		if (is_word(w[0], "pop"))
			im->pop_depth = im->depth;
		return 0;
	}
	if (im->pop_depth || (is_top && is_word(w[0], "pop")))
		return 0;
	return fail(-ERR_FORMAT, reason, "it is not a config line");
}

/* The words of a line, at most `WORDS_MAX` of them; a longer line has WORDS_MAX. A word that begins
 * with # ends the line. */
static size_t split(const char *text, size_t len, struct word w[static WORDS_MAX])
{
	struct rd r = rd_init(text, len);
	size_t n = 0;
	while (n < WORDS_MAX) {
		w[n].text = rd_word(&r, &w[n].len);
		if (!w[n].text || w[n].text[0] == '#')
			break;
		n++;
	}
	return n;
}

int import_line(struct import *im, const char *text, size_t len, const char **reason)
{
	struct word words[WORDS_MAX];

	im->line++;
	if (len > 0 && text[len - 1] == '\r')
		len--;
	if (len > IMPORT_LINE_MAX)
		return fail(-ERR_RANGE, reason, "the line is too long");
	size_t n = split(text, len, words);
	if (n == 0)
		return 0;
	if (!im->pop_depth && is_word(words[0], "config"))
		return read_config(im, words, n, reason);
	return read_block(im, words, n, reason);
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
