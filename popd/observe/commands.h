/*
 * The commands of the control socket, text in and text out (JSON by jansson). A request is one
 * object on one line:
 *
 *   {"command": "status"}
 *   {"command": "tunnel list", "all": false, "after": 0}   a page; the answer's "next" is the "after"
 *                                                          of the next page, or null
 *   {"command": "tunnel show", "tunnel": "T7"}             or any IPv6 address of the tunnel or of a
 *                                                          prefix routed to it
 *   {"command": "tunnel errors", "tunnel": "T7", "reset": false}
 *   {"command": "tunnel trace", "tunnel": ["T7", "2001:db8::1"], "all": false, "snap": 128}
 *                                                          the answer, then a line for each packet
 *                                                          (trace.h)
 *   {"command": "counters", "reset": false}
 *   {"command": "top", "by": "bytes", "limit": 20}         the busiest tunnels (top.h); both keys may
 *                                                          be left out
 *   {"command": "reasons"}
 *   {"command": "reload"}
 *   {"command": "log", "level": "debug"}
 *
 * The answer is an object; {"error": sentence} when the request was refused. No answer contains a
 * secret.
 */
#ifndef POPD_OBSERVE_COMMANDS_H
#define POPD_OBSERVE_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/observe/control.h"

struct commands;

/* Answers one request: a control_handler, `ctx` is the struct commands. */
enum control_verdict commands_handle(void *ctx, unsigned client, struct moment now,
				     const char *line, size_t len, char **answer) NONNULL;
/* A client has left: a control_leaver, `ctx` is the struct commands. */
void commands_client_left(void *ctx, unsigned client) NONNULL;

/* The answer to clients that wait for the result of a reload: malloc'ed, NULL: no memory. */
char *commands_reload_answer(bool good, const char *sentence) NONNULL;

#endif
