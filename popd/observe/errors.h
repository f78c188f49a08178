/*
 * What was dropped and why, as an operator reads it: of a tunnel or of the whole PoP, all workers
 * together, since popd's start or since the operator last reset it. A reset is a mark: the workers'
 * counters go on, since the database and the metrics read them too. Control thread.
 */
#ifndef POPD_OBSERVE_ERRORS_H
#define POPD_OBSERVE_ERRORS_H

#include <jansson.h>
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

/* Drops are shown from now on only. 0 or -ERR_NOMEM. */
int errors_reset_tunnel(struct errors *e, uint32_t slot, uint32_t now) NONNULL MUSTCHECK;
void errors_reset_pop(struct errors *e, uint32_t now) NONNULL;

/* The slot's counters are about to be cleared. */
void errors_slot_freed(struct errors *e, uint32_t slot) NONNULL;

/*
 * A list with one object a reason; `all`: also reasons that nothing was dropped for.
 *
 *   name, text       the reason, and what it means in general
 *   count
 *   at, age          of the last drop, null: none, or its record is gone
 *   tunnel           "T7", null: the last drop was of no known tunnel
 *   from             its outer source, "uplink", "popd" (its own), null: unknown, or it was refused
 *   to               of one that the kernel refused: where it was to go
 *   sentence         what the last drop means
 *   source           where it came in (value_source)
 *   length, packet   of the last drop; its first bytes, in hexadecimal
 */
json_t *errors_json(const struct errors_view *v, uint32_t now, bool all) NONNULL;

#endif
