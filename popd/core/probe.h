/*
 * Liveness: an ICMPv6 echo request from `<tunnel>::1` to `<tunnel>::2` that carries its own time
 * and a keyed check value, so that its reply says how long it took and nobody can make one up. popd
 * keeps no list of what it asked. Pure.
 */
#ifndef POPD_CORE_PROBE_H
#define POPD_CORE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/tunnel.h"

enum { PROBE_LEN = 72, PROBE_LIFE_US = 60 * 1000000 };

/* Writes the inner packet (for a job of JOB_PROBE). `id`: any value that tells probes from other
 * pings; `sequence`: the tunnel's own, one more each time, since an answer is counted only when its
 * sequence is newer than those counted before. */
void probe_build(uint8_t out[static PROBE_LEN], const struct tunnel_conf *c,
		 const uint8_t key[static 16], uint16_t id, uint16_t sequence, int64_t mono_us)
	NONNULL;

/* Counts the answer `word` as heard; false: it is a copy of one that was, or older. Any worker. */
bool probe_is_new(struct tunnel *t, uint32_t word) NONNULL;

/* True when `echo` (an ICMPv6 echo reply of `len` bytes, from ::2 to ::1) answers a probe of ours
 * to this tunnel that is younger than PROBE_LIFE_US. Gives the round-trip time, at least 1, and a
 * word that names the probe among the tunnel's and is never 0. */
bool probe_is_answer(const uint8_t *echo, size_t len, const struct tunnel_conf *c,
		     const uint8_t key[static 16], int64_t mono_us, uint32_t *rtt_us,
		     uint32_t *word) NONNULL;

#endif
