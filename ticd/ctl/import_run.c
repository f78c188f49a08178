#include "ticd/ctl/import_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "ticd/ctl/import.h"
#include "ticd/ctl/pgctl.h"

enum { FILE_MAX = 64 << 20 }; /* bytes; 65,536 tunnels need 4 MB */

/* The arrays of api.op_import, in its order after handle and PoP. */
enum array {
	ARRAY_LINE,
	ARRAY_NUMBER,
	ARRAY_ID,
	ARRAY_TYPE,
	ARRAY_ENABLED,
	ARRAY_MTU,
	ARRAY_SECRET,
	ARRAY_ENDPOINT,
	ARRAY_ROUTE_LINE,
	ARRAY_ROUTE_PREFIX,
	ARRAY_ROUTE_NUMBER,
	ARRAY__COUNT
};

static const char import_sql[] =
	"SELECT * FROM api.op_import($1, $2, $3::int[], $4::int[], $5::int[], $6::text[], $7::boolean[], $8::int[],"
	" $9::text[], $10::inet[], $11::int[], $12::cidr[], $13::int[])";

struct buffer {
	char *text;
	size_t len;
};

/* Wipes first: it may hold secrets. */
static void buffer_free(struct buffer *b)
{
	if (b->text)
		secure_zero(b->text, b->len);
	free(b->text);
}

/* On failure errno says why. */
static int read_stream(FILE *in, struct buffer *out)
{
	FILE *copy = open_memstream(&out->text, &out->len);
	char chunk[1 << 14];
	size_t total = 0, got;

	if (!copy)
		return -ERR_NOMEM;
	while (total <= FILE_MAX && (got = fread(chunk, 1, sizeof(chunk), in)) > 0)
		total += fwrite(chunk, 1, got, copy);
	int error = ferror(in) || ferror(copy) ? errno : total > FILE_MAX ? EFBIG : 0;
	if (fclose(copy) != 0 && !error)
		error = errno;
	secure_zero(chunk, sizeof(chunk));
	errno = error;
	return error ? -ERR_SYS : 0;
}

static int read_file(const char *path, struct buffer *out, struct fault *fault)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *in = is_stdin ? stdin : fopen(path, "r");
	int err = in ? read_stream(in, out) : -ERR_SYS;
	if (err)
		fault_set(fault, err, "input", "%s: %s", path, strerror(errno));
	if (in && !is_stdin)
		fclose(in);
	return err;
}

/* One element of an array literal; none of these texts needs quoting. */
#define ELEMENT(f, i, ...) (fputs((i) ? "," : "{", f), fprintf(f, __VA_ARGS__))

static void write_tunnel(FILE *const *f, size_t i, const struct import_tunnel *t)
{
	static const char *const types[] = { [IMPORT_AYIYA] = "ayiya",
					     [IMPORT_HEARTBEAT] = "heartbeat",
					     [IMPORT_STATIC] = "static" };
	char endpoint[IP4_TEXT];
	ELEMENT(f[ARRAY_LINE], i, "%u", t->line);
	ELEMENT(f[ARRAY_NUMBER], i, "%u", t->number);
	ELEMENT(f[ARRAY_ID], i, "%u", t->id);
	ELEMENT(f[ARRAY_TYPE], i, "%s", types[t->type]);
	ELEMENT(f[ARRAY_ENABLED], i, "%c", t->enabled ? 't' : 'f');
	ELEMENT(f[ARRAY_MTU], i, "%u", t->mtu);
	ELEMENT(f[ARRAY_SECRET], i, "%s", t->secret[0] ? t->secret : "NULL");
	ELEMENT(f[ARRAY_ENDPOINT], i, "%s",
		t->type == IMPORT_STATIC ? ip4_text(t->endpoint, endpoint) : "NULL");
}

static void write_route(FILE *const *f, size_t i, const struct import_route *r)
{
	char prefix[PREFIX6_TEXT];
	ELEMENT(f[ARRAY_ROUTE_LINE], i, "%u", r->line);
	ELEMENT(f[ARRAY_ROUTE_PREFIX], i, "%s", prefix6_text(&r->prefix, prefix));
	ELEMENT(f[ARRAY_ROUTE_NUMBER], i, "%u", r->number);
}

/* Writes the array literals; false: out of memory. The caller frees `arrays` either way. */
static bool write_arrays(const struct import *im, struct buffer arrays[static ARRAY__COUNT])
{
	FILE *files[ARRAY__COUNT] = { 0 };
	bool is_good = true;
	for (size_t a = 0; a < ARRAY__COUNT; a++)
		is_good = (files[a] = open_memstream(&arrays[a].text, &arrays[a].len)) != NULL &&
			  is_good;
	for (size_t i = 0; is_good && i < im->n_tunnels; i++)
		write_tunnel(files, i, &im->tunnels[i]);
	for (size_t i = 0; is_good && i < im->n_routes; i++)
		write_route(files, i, &im->routes[i]);
	for (size_t a = 0; a < ARRAY__COUNT; a++) {
		if (!files[a])
			continue;
		size_t n = a < ARRAY_ROUTE_LINE ? im->n_tunnels : im->n_routes;
		fputs(n ? "}" : "{}", files[a]);
		is_good = !ferror(files[a]) && is_good;
		is_good = fclose(files[a]) == 0 && is_good;
	}
	return is_good;
}

static int send_import(struct pgctl *db, const char *const *values, const struct import *im,
		       struct rows *out, struct fault *fault)
{
	struct buffer arrays[ARRAY__COUNT] = { 0 };
	const char *params[2 + ARRAY__COUNT] = { values[1], values[2] };
	int err;

	if (write_arrays(im, arrays)) {
		for (size_t a = 0; a < ARRAY__COUNT; a++)
			params[2 + a] = arrays[a].text;
		err = pgctl_query(db, import_sql, ARRAY_LEN(params), params, out, fault);
	} else {
		err = fault_nomem(fault);
	}
	for (size_t a = 0; a < ARRAY__COUNT; a++)
		buffer_free(&arrays[a]);
	return err;
}

int import_run(struct pgctl *db, const char *const *values, struct rows *out, struct fault *fault)
{
	struct buffer file = { 0 };
	struct import im = { 0 };
	const char *reason;
	int err = read_file(values[0], &file, fault);

	if (err)
		goto free_file;
	err = import_text(&im, file.text, file.len, &reason);
	if (err)
		fault_set(fault, err, "input", "%s:%u: %s; nothing was imported", values[0],
			  im.line, reason);
	else
		err = send_import(db, values, &im, out, fault);
	import_free(&im);
free_file:
	buffer_free(&file);
	return err;
}
