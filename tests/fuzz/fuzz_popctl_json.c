/*
 * Any answers from the control socket, a line each (the first byte picks the command, --json and
 * the like): popctl prints something and exits with 0, or says what is wrong and exits with 1. With
 * --json what it prints is the answer again.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "popd/ctl/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT = 1 << 22 }; /* columns are as wide as the widest cell */

static const char *const names[] = { "status",   "tunnel list", "tunnel show",
				     "counters", "reload",      "log",
				     "reasons",  "top",         "tunnel errors" };

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* The answers as popd would have sent them: a line is one message, so that each is read alone. */
static void send_answers(int fd, const uint8_t *data, size_t size)
{
	char line[4096];

	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;
		size_t kept = len < sizeof(line) ? len : sizeof(line) - 1;
		memcpy(line, data, kept);
		line[kept] = '\n';
		require(send(fd, line, kept + 1, MSG_DONTWAIT) == (ssize_t)kept + 1);
		data += end ? len + 1 : len;
		size -= end ? len + 1 : len;
	}
	require(shutdown(fd, SHUT_WR) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char printed[OUTPUT], refused[4096];
	static FILE *out, *err;
	int fds[2];

	if (size == 0)
		return 0;
	if (!out) {
		out = fmemopen(printed, sizeof(printed), "w");
		err = fmemopen(refused, sizeof(refused), "w");
		require(out && err);
	}
	struct request r = { .command = command_find(names[(data[0] & 15) % ARRAY_LEN(names)]),
			     .n = data[0] & 16 ? 1 : 0,
			     .arguments = { "T7" },
			     .all = data[0] & 32,
			     .json = data[0] & 64,
			     .packet = data[0] & 128,
			     .once = true, /* and no pause between two answers */
			     .limit = 10 };
	require(r.command != NULL);
	r.n = r.n < r.command->max ? r.n : r.command->max;
	require(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0);
	send_answers(fds[1], data + 1, size - 1);
	rewind(out);
	rewind(err);
	int status = r.command->run(fds[0], &r, out, err);
	close(fds[0]);
	close(fds[1]);
	long shown = ftell(out), wrong = ftell(err);
	require(fflush(out) == 0 && fflush(err) == 0);
	require(status == 0 ? wrong == 0 : status == 1 && wrong > 0 && shown == 0);
	if (status == 0 && r.json) {
		json_t *again = json_loadb(printed, (size_t)shown, JSON_DISABLE_EOF_CHECK, NULL);
		require(json_is_object(again));
		json_decref(again);
	}
	return 0;
}
