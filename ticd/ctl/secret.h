/* The TIC secret of an account: made here, shown once, kept by nobody; the database gets only the
 * digests the protocol needs. */
#ifndef TICD_CTL_SECRET_H
#define TICD_CTL_SECRET_H

#include "lib/cc.h"
#include "lib/digest.h"

enum { SECRET_LEN = 24 }; /* characters of 5 bits each: 120 bits */

struct secret {
	char text[SECRET_LEN + 1];
	/* lower-case hex of the text's digests, as TIC clients compute them */
	char md5[DIGEST_MAX_HEX];
	char sha256[DIGEST_MAX_HEX];
};

/* One character for each value 0..31: lower case letters and digits without those that look alike
 * (0 o, 1 l). */
extern const char secret_alphabet[33];

/* Makes a new one (digest_init has been called). 0, -ERR_SYS (no randomness) or -ERR_NOMEM. Wipe
 * with secure_zero when done. */
int secret_create(struct secret *out) NONNULL MUSTCHECK;

#endif
