/*
 * Liveness: an ICMPv6 echo request from `<tunnel>::1` to `<tunnel>::2` that carries its time of
 * sending and a keyed check value, so that its reply gives the round-trip time and cannot be
 * forged. popd keeps no list of outstanding probes. Pure.
 */
#ifndef POPD_CORE_PROBE_H
#define POPD_CORE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/tunnel.h"

enum { PROBE_LEN = 72, PROBE_LIFE_US = 60 * 1000000 };

/* Writes the inner packet of a JOB_PROBE. `id`: the ICMPv6 identifier, which tells probes from
 * other pings; `sequence`: the tunnel's, one more each time: an answer counts only when its
 * sequence is newer than that of every answer counted before. */
void probe_build(uint8_t out[static PROBE_LEN], const struct tunnel_conf *c,
		 const uint8_t key[static 16], uint16_t id, uint16_t sequence, int64_t mono_us)
	NONNULL;

/* True when probe `number` is newer than all whose answers were counted; then it is the newest.
 * Any worker. */
bool probe_is_new(struct tunnel *t, uint32_t number) NONNULL;

/* True when `echo`, an ICMPv6 echo reply of `len` bytes from ::2 to ::1, answers a probe of this
 * tunnel that was sent less than PROBE_LIFE_US ago. Gives the round-trip time, at least 1, and the
 * probe's number in the tunnel, which is never 0. */
bool probe_is_answer(const uint8_t *echo, size_t len, const struct tunnel_conf *c,
		     const uint8_t key[static 16], int64_t mono_us, uint32_t *rtt_us,
		     uint32_t *number) NONNULL;

#endif
