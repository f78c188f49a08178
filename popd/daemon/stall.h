/*
 * Tells whether a thread stands still, from a number that it changes whenever it does something and
 * that is looked at once a second. Looks are counted, not seconds: when the whole process was
 * stopped for a while, nobody stood still. Pure.
 */
#ifndef POPD_DAEMON_STALL_H
#define POPD_DAEMON_STALL_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"

enum { STALL_LOOKS = 3 }; /* in a row that find the same number */

/* Zeroed at first. */
struct stall {
	uint32_t progress, looks;
	mono_t moved; /* when it was last seen to do something */
};

enum stall_change { STALL_SAME, STALL_BEGINS, STALL_ENDS };

/* The next look. STALL_BEGINS once: it stands still, since s->moved. STALL_ENDS once: it goes on. */
enum stall_change stall_look(struct stall *s, uint32_t progress, mono_t now) NONNULL;

/* Whole seconds since it stands still, at least 1; 0: it does not. */
uint32_t stall_seconds(const struct stall *s, mono_t now) NONNULL;

#endif
