/* The PoP's metrics as they are at this moment, gathered from its parts. Control thread. */
#ifndef POPD_OBSERVE_METRICS_GATHER_H
#define POPD_OBSERVE_METRICS_GATHER_H

#include <stdint.h>

#include "lib/cc.h"
#include "popd/observe/control_json.h"
#include "popd/observe/metrics_text.h"

/* `now`: wall seconds. */
void metrics_gather(const struct control_view *v, uint32_t now, struct metrics_pop *out) NONNULL;

#endif
