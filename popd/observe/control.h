/*
 * The control socket: a unix stream where popctl sends one JSON object a line and gets one JSON
 * object a line back (commands.h). Many clients, bounded lines, nothing that blocks: a client that
 * does not read its answer is not served further and closed after a minute. A client that follows
 * something is sent line after line until it leaves; whatever it sends meanwhile is ignored.
 */
#ifndef POPD_OBSERVE_CONTROL_H
#define POPD_OBSERVE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"

struct control;
struct ev_loop;

enum { CONTROL_LINE = 4096, CONTROL_CLIENTS = 64, CONTROL_BACKLOG = 1 << 19, CONTROL_WHY = 300 };

enum control_verdict {
	CONTROL_ANSWERED, /* `*answer` is malloc'ed text without a newline */
	CONTROL_LATER,    /* the answer comes by control_answer_waiting */
	CONTROL_FOLLOWS,  /* answered, and more comes by control_send */
	CONTROL_CLOSE,    /* no memory: no answer */
};
/* Handles a line of a client. `client`: its number, under CONTROL_CLIENTS, which the next client
 * may have as soon as this one has left. */
typedef enum control_verdict control_handler(void *ctx, unsigned client, struct moment now,
					     const char *line, size_t len, char **answer);
/* A client has left, whether it followed anything or not. */
typedef void control_leaver(void *ctx, unsigned client);

/* Makes the socket at `path` (mode 0660). Replaces a stale one, but not one that a running popd
 * answers on. NULL: `why` is a sentence. */
struct control *control_create(struct ev_loop *loop, const char *path, control_handler *handler,
			       control_leaver *left, void *ctx, char why[static CONTROL_WHY])
	NONNULL_ARGS(1, 2, 3, 4, 6);
/* Closes all connections and removes the socket. NULL is fine. */
void control_free(struct control *c);

/* Sends this answer to every client that got CONTROL_LATER. */
void control_answer_waiting(struct control *c, const char *answer) NONNULL;
bool control_has_waiting(const struct control *c) NONNULL;
/* Sends one more line to a client that follows; false: it has not read the last CONTROL_BACKLOG
 * bytes yet, or has left. */
bool control_send(struct control *c, unsigned client, const char *line, size_t len) NONNULL;

#endif
