/*
 * A request as a client may send it: three lines, method, path and If-None-Match. Every request
 * gets an answer with a known status, a body and all its headers; and a request with the ETag of
 * the last answer gets a 304.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "tests/unit/test_webd_fixture.h"
#include "web/page/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next line as a string of its own. */
static char *line_of(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size ? memchr(*data, '\n', *size) : NULL;
	size_t len = end ? (size_t)(end - *data) : *size;
	char *line = malloc(len + 1);
	if (!line)
		abort();
	if (len)
		memcpy(line, *data, len);
	line[len] = '\0';
	*data += end ? len + 1 : len;
	*size -= end ? len + 1 : len;
	return line;
}

static void check(const struct answer *answer)
{
	static const unsigned known[] = { 200, 304, 308, 404, 405, 503 };
	char scratch[ANSWER_HEADERS_SCRATCH];
	struct header headers[ANSWER_HEADERS];
	size_t n = answer_headers(answer, headers, scratch), k = 0;
	while (k < ARRAY_LEN(known) && known[k] != answer->status)
		k++;
	if (k == ARRAY_LEN(known) || !answer->body || answer->len == 0 || n > ANSWER_HEADERS)
		abort();
	for (size_t i = 0; i < n; i++)
		if (!headers[i].value || strpbrk(headers[i].value, "\r\n"))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct digest_ctx *digest;
	static struct status_view *one, *all;
	if (!digest && (digest_init() != 0 || !(digest = digest_ctx_create())))
		abort();
	if (!one)
		one = fixture_view((const struct pop_view *const[]){ &fixture_hostile }, 1);
	if (!all)
		all = fixture_view_all();

	char *method = line_of(&data, &size), *path = line_of(&data, &size),
	     *tags = line_of(&data, &size);
	/* Seldom all PoPs: it is the request that varies, and a long page takes its time. */
	size_t which = strlen(tags) % 8;
	struct page_now now = fixture_now(which == 7 ? NULL : which == 6 ? all : one);
	struct answer answer;
	site_answer(&now, digest, method, path, &answer);
	check(&answer);
	answer_condition(&answer, tags);
	check(&answer);
	if (answer.status == 200 && *answer.etag) {
		answer_condition(&answer, answer.etag);
		if (answer.status != 304)
			abort();
	}
	answer_free(&answer);
	free(method);
	free(path);
	free(tags);
	return 0;
}
