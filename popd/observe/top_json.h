/* The busiest tunnels as JSON: the one form in which the control socket tells of them. */
#ifndef POPD_OBSERVE_TOP_JSON_H
#define POPD_OBSERVE_TOP_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "lib/cc.h"
#include "popd/core/counters.h"
#include "popd/core/table.h"
#include "popd/observe/top.h"

/* An object:
 *
 *   by            the order: "bytes", "packets" or "drops"
 *   window_ms     the time that the rates are of; null: it was the first look, ask again
 *   tunnels       at most `limit`, the busiest first; each
 *     id, type, endpoint                   "T7", "ayiya", null: none known
 *     bits_in_per_second, ...bits_out...   of inner packets, to the bit
 *     packets_in_per_second, ...out..., drops_per_second
 *     packets_in, bytes_in, packets_out, bytes_out, drops    in all, as popctl tunnel show has them
 */
json_t *top_json(const struct top *t, enum top_by by, size_t limit, struct table *table,
		 struct counters *const *workers, size_t n) NONNULL;

#endif
