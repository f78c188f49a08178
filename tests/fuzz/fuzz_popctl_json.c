/*
 * Any answers from the control socket, a line each (the first byte picks the command, --json and
 * the like): popctl shows something and ends well, or says what is wrong and does not. With --json
 * what it prints is the answer again.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "popd/ctl/client.h"
#include "popd/ctl/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT = 1 << 22 }; /* columns are as wide as the widest cell */

static const char *const asked[] = { "status",   "tunnel list", "tunnel show",
				     "counters", "reload",      "log",
				     "reasons",  "top",         "tunnel errors" };
static const uint8_t *answers;
static size_t answers_left;

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* In the place of popd/popctl_client.c: the next line of the input. */
char *client_ask(int fd, const char *request, char why[static CLIENT_WHY])
{
	const uint8_t *end = answers_left > 0 ? memchr(answers, '\n', answers_left) : NULL;
	size_t len = end ? (size_t)(end - answers) : answers_left;

	(void)fd;
	require(*request == '{');
	if (answers_left == 0) {
		snprintf(why, CLIENT_WHY, "popd has closed the connection");
		return NULL;
	}
	char *line = malloc(len + 1);
	require(line != NULL);
	memcpy(line, answers, len);
	line[len] = '\0';
	answers += end ? len + 1 : len;
	answers_left -= end ? len + 1 : len;
	return line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char said[OUTPUT], quoted[4096];
	static FILE *out, *err;

	if (size == 0)
		return 0;
	if (!out) {
		out = fmemopen(said, sizeof(said), "w");
		err = fmemopen(quoted, sizeof(quoted), "w");
		require(out && err);
	}
	struct popctl_request request = { .command = asked[(data[0] & 15) % ARRAY_LEN(asked)],
					  .argument = data[0] & 16 ? "T7" : NULL,
					  .all = data[0] & 32,
					  .json = data[0] & 64,
					  .packet = data[0] & 128,
					  .once = true, /* and no time between two answers */
					  .limit = 10 };
	rewind(out);
	rewind(err);
	answers = data + 1;
	answers_left = size - 1;
	int status = popctl_run(-1, &request, out, err);
	long shown = ftell(out), wrong = ftell(err);
	require(fflush(out) == 0 && fflush(err) == 0);
	require(status == 0 ? wrong == 0 : status == 1 && wrong > 0 && shown == 0);
	if (status == 0 && request.json) {
		json_t *again = json_loadb(said, (size_t)shown, JSON_DISABLE_EOF_CHECK, NULL);
		require(json_is_object(again));
		json_decref(again);
	}
	return 0;
}
