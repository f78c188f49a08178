/*
 * The dialogue with one client (PROTOCOLS: TIC): a line in, its verb run, replies out. The owner
 * puts bytes into the session's `in`, calls dialogue_run, and sends what `out` holds. One line is
 * answered at a time: the next ones wait in `in` while the store is being asked, and while a long
 * list is still in `out`.
 *
 * TLS: starttls stops the dialogue (session_wants_tls). The owner, who alone can see whether the
 * client sent anything early, then calls dialogue_grant_tls, dialogue_refuse_tls or
 * dialogue_close_injected. After a grant it sends `out`, shakes hands and calls
 * dialogue_tls_started.
 */
#ifndef TICD_CORE_DIALOGUE_H
#define TICD_CORE_DIALOGUE_H

#include <stdbool.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "ticd/core/session.h"

void dialogue_greet(struct session *s) NONNULL;

/* Answers the waiting lines, as many as can be answered now. `at` is the time of `now` on the
 * monotonic clock. */
void dialogue_run(struct session *s, wall_t now, mono_t at) NONNULL;
/* True when dialogue_run would take a line now, if there was one. */
bool dialogue_can_run(const struct session *s) NONNULL;

void dialogue_grant_tls(struct session *s) NONNULL;
/* TLS is not possible now; the dialogue goes on in clear text. */
void dialogue_refuse_tls(struct session *s) NONNULL;
/* The client sent something between starttls and its reply: an injection, so the session ends. */
void dialogue_close_injected(struct session *s) NONNULL;
void dialogue_tls_started(struct session *s) NONNULL;

#endif
