/* The values that the answers of the control socket are made of, as JSON: one form for each kind.
 */
#ifndef POPD_OBSERVE_VALUE_H
#define POPD_OBSERVE_VALUE_H

#include <jansson.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "popd/core/measure.h"
#include "popd/core/pipeline.h"
#include "popd/core/view.h"

/* New references. JSON's integers end at INT64_MAX, and so do ours. */
json_t *value_number(uint64_t v);
json_t *value_time(uint32_t wall);              /* RFC 3339; null: never */
json_t *value_age(uint32_t wall, uint32_t now); /* seconds; null: never */
json_t *value_endpoint(uint64_t word);          /* null: none */
json_t *value_tunnel(uint32_t id);              /* "T7"; null: none */
json_t *value_address(struct ip6 ip);
json_t *value_prefix(const struct prefix6 *p) NONNULL;
/* Where a packet came in: "tun", "ayiya", "heartbeat", "proto41", "probe" or "icmp4". */
json_t *value_source(enum job_source s);

/* The two answers that are one sentence: {"error": sentence} and {"message": sentence}. */
json_t *value_refusal(const char *sentence) NONNULL;
json_t *value_message(const char *sentence) NONNULL;

/* Take `value`. */
void value_set(json_t *object, const char *key, json_t *value);
/* Under the measure's name. */
void value_set_measure(json_t *object, enum measure m, uint64_t value) NONNULL;
/* All measures of the PoP but drops and liveness. */
void value_set_traffic(json_t *object, const struct view_pop *p) NONNULL;

#endif
