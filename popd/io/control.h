/*
 * The control socket: a unix stream where popctl asks, one JSON object a line, and gets one JSON object a line back
 * (control_json.h). Many clients, bounded lines, nothing that waits: a client that does not read its answer is asked
 * nothing more and closed when it stays so.
 */
#ifndef POPD_IO_CONTROL_H
#define POPD_IO_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

struct control;
struct ev_loop;

enum { CONTROL_LINE = 4096, CONTROL_CLIENTS = 64, CONTROL_WHY = 300 };

enum control_verdict {
	CONTROL_ANSWERED, /* `*answer` is malloc'ed text without a newline */
	CONTROL_LATER,    /* the answer comes by control_answer_waiting */
	CONTROL_CLOSE,    /* no memory: no answer */
};
typedef enum control_verdict control_handler(void *ctx, const char *line, size_t len, char **answer);

/* Makes the socket at `path` (mode 0660). A stale one is replaced, one that a living popd answers on is not. NULL:
 * `why` says so in a sentence. */
struct control *control_create(struct ev_loop *loop, const char *path, control_handler *handler, void *ctx,
			       char why[static CONTROL_WHY]) NONNULL_ARGS(1, 2, 3, 5);
/* Closes all and removes the socket. NULL is fine. */
void control_free(struct control *c);

/* Sends this line to every client that was told CONTROL_LATER. */
void control_answer_waiting(struct control *c, const char *answer) NONNULL;
bool control_has_waiting(const struct control *c) NONNULL;

#endif
