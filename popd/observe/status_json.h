/* popd as a whole, as JSON: what popctl status shows. */
#ifndef POPD_OBSERVE_STATUS_JSON_H
#define POPD_OBSERVE_STATUS_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/observe/control_json.h"

/* `now`: wall seconds. */
json_t *status_json(const struct control_view *v, uint32_t now) NONNULL;

#endif
