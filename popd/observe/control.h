/*
 * The control socket: a unix stream where popctl asks, one JSON object a line, and gets one JSON
 * object a line back (control_json.h). Many clients, bounded lines, nothing that waits: a client
 * that does not read its answer is asked nothing more and closed when it stays so. One that follows
 * something is told of it line by line, for as long as it stays; what it says meanwhile is not
 * listened to.
 */
#ifndef POPD_OBSERVE_CONTROL_H
#define POPD_OBSERVE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

struct control;
struct ev_loop;

enum { CONTROL_LINE = 4096, CONTROL_CLIENTS = 64, CONTROL_BEHIND = 1 << 19, CONTROL_WHY = 300 };

enum control_verdict {
	CONTROL_ANSWERED, /* `*answer` is malloc'ed text without a newline */
	CONTROL_LATER,    /* the answer comes by control_answer_waiting */
	CONTROL_FOLLOWS,  /* answered, and more comes by control_tell */
	CONTROL_CLOSE,    /* no memory: no answer */
};
/* `client`: its number, under CONTROL_CLIENTS; another's as soon as this one has left. */
typedef enum control_verdict control_handler(void *ctx, unsigned client, const char *line,
					     size_t len, char **answer);
/* A client has left, whether it followed anything or not. */
typedef void control_leaver(void *ctx, unsigned client);

/* Makes the socket at `path` (mode 0660). A stale one is replaced, one that a living popd answers
 * on is not. NULL: `why` says so in a sentence. */
struct control *control_create(struct ev_loop *loop, const char *path, control_handler *handler,
			       control_leaver *left, void *ctx, char why[static CONTROL_WHY])
	NONNULL_ARGS(1, 2, 3, 4, 6);
/* Closes all and removes the socket. NULL is fine. */
void control_free(struct control *c);

/* Sends this line to every client that was told CONTROL_LATER. */
void control_answer_waiting(struct control *c, const char *answer) NONNULL;
/* One more line for a client that follows; false: it has not read CONTROL_BEHIND bytes yet, or has
 * left. */
bool control_tell(struct control *c, unsigned client, const char *line, size_t len) NONNULL;
bool control_has_waiting(const struct control *c) NONNULL;

#endif
