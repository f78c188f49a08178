/* What was dropped and why, as JSON: the one form in which the control socket tells of it. */
#ifndef POPD_OBSERVE_ERRORS_JSON_H
#define POPD_OBSERVE_ERRORS_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/pipeline.h"
#include "popd/observe/errors.h"

/* What the bytes of a job's data are: "tun", "ayiya", "heartbeat", "proto41", "probe", "icmp4". */
const char *job_source_name(enum job_source s);

/* One object a reason, `all`: those that nothing was dropped for too.
 *
 *   name, text       the reason, and what it means in general
 *   count
 *   at, age          of the last one, null: none, or nothing more is known of it
 *   tunnel           "T7", null: none could be named for the last one
 *   from             its outer source, "uplink", "popd" (its own), null: nothing is known, or it was refused
 *   to               where a refused one was to go
 *   sentence         what it means, of the last one
 *   source           what the bytes are
 *   length, packet   of the last one; its first bytes, in hexadecimal
 * */
json_t *errors_json_rows(const struct errors_view *v, uint32_t now, bool all) NONNULL;

#endif
