/* The login: username, challenge, authenticate. A login nobody has is refused with the same
 * sentence, work and question to the store as a wrong password. */
#ifndef TICD_CORE_LOGIN_H
#define TICD_CORE_LOGIN_H

#include "lib/cc.h"
#include "ticd/core/session.h"

void login_run_username(struct session *s, const struct session_args *args) NONNULL;
void login_run_challenge(struct session *s, const struct session_args *args) NONNULL;
void login_run_authenticate(struct session *s, const struct session_args *args) NONNULL;

#endif
