/*
 * What was dropped and why, as an operator reads it: of a tunnel, or of the whole PoP, all workers
 * together, since the start or since he last reset it. A reset is a mark: the workers' counters go
 * on, for what else reads them. Reads what workers write; all else is the control thread's.
 */
#ifndef POPD_OBSERVE_ERRORS_H
#define POPD_OBSERVE_ERRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/counters.h"

struct errors;

struct errors_row {
	uint64_t count;
	bool has_last; /* with a count always, unless a worker had no records left */
	struct drop_note last;
};

struct errors_view {
	uint32_t since; /* wall second of the reset; 0: there was none */
	struct errors_row rows[DROP__COUNT];
};

/* `workers` is an array of `n`, the caller's, that outlives it; all have the same slots. NULL: no
 * memory. */
struct errors *errors_create(struct counters *const *workers, size_t n) NONNULL;
void errors_free(struct errors *e); /* NULL is fine */

void errors_of_tunnel(const struct errors *e, uint32_t slot, struct errors_view *out) NONNULL;
void errors_of_pop(const struct errors *e, struct errors_view *out) NONNULL;

/* From now on only what comes shows. 0 or -ERR_NOMEM. */
int errors_reset_tunnel(struct errors *e, uint32_t slot, uint32_t now) NONNULL MUSTCHECK;
void errors_reset_pop(struct errors *e, uint32_t now) NONNULL;

/* The slot's counters are about to be cleared. */
void errors_slot_freed(struct errors *e, uint32_t slot) NONNULL;

#endif
