/* Running one command: connects, makes a TIC secret where one is needed, asks the database, prints
 * the answer. */
#ifndef TICD_CTL_RUN_H
#define TICD_CTL_RUN_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/digest.h"
#include "ticd/ctl/commands.h"

/* `args` are the command's own. Prints to `out` only when everything went well. 0, or -enum err
 * with the reason in `fault`. */
int run_command(const struct command *command, struct args *args, const char *conninfo,
		bool is_json, FILE *out, struct fault *fault) NONNULL MUSTCHECK;

/* The TIC secret of an account, or the password of a PoP's log-in: made here, shown once, stored nowhere; the database gets only the
 * digests that the protocol needs, or the password's verifier. */

enum { RUN_SECRET_LEN = 24 }; /* characters of 5 bits each: 120 bits */

/* One character for each value 0..31: lower-case letters and digits without those that look alike
 * (0 o, 1 l). */
#define RUN_SECRET_ALPHABET "abcdefghijkmnpqrstuvwxyz23456789"

struct run_secret {
	char text[RUN_SECRET_LEN + 1];
	/* lower-case hex of the text's digests, as TIC clients compute them */
	char md5[DIGEST_MAX_HEX];
	char sha256[DIGEST_MAX_HEX];
};

/* Makes a new one; digest_init has been called. 0, -ERR_SYS (no random bytes, or OpenSSL failed) or
 * -ERR_NOMEM. Wipe it with secure_zero. */
int run_make_secret(struct run_secret *out) NONNULL MUSTCHECK;

#endif
