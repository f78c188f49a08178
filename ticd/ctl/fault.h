/*
 * Why a command did not do what it was asked: one plain sentence for the operator and a short code
 * for scripts (--json). The code is "usage" (the command line), "input" (a file's content),
 * "database" (away or failed), "failed" (this machine) or, when a rule of the broker refused, its
 * five characters beginning with BK. Texts hold no secret and no conninfo.
 */
#ifndef TICD_CTL_FAULT_H
#define TICD_CTL_FAULT_H

#include "lib/cc.h"

enum { FAULT_CODE = 16, FAULT_TEXT = 1024 };

struct fault {
	char code[FAULT_CODE];
	char text[FAULT_TEXT]; /* one line, no full stop added */
};

/* Fills `f` (a longer text is cut) and returns `err`, so that a caller can say `return
 * fault_set(...)`. */
int fault_set(struct fault *f, int err, const char *code, const char *fmt, ...)
	NONNULL_ARGS(1, 3, 4) FORMAT(4, 5);

/* Puts a formatted "<text>: " before the sentence that is there. */
void fault_prefix(struct fault *f, const char *fmt, ...) NONNULL_ARGS(1, 2) FORMAT(2, 3);

#endif
