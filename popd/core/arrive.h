/*
 * Arrival: from the bytes that a socket received to an inner packet whose tunnel is known. The
 * cheapest checks come first: lengths and first bytes, then the tunnel; only a packet that names one
 * is hashed. What its configuration forbids and a wrong clock are faults that are counted for the
 * tunnel only when the signature is right. Until a packet is authenticated it changes nothing but
 * counters.
 *
 * Each function is one stage over the whole batch; pipeline.c looks up tunnels and computes digests
 * between them.
 */
#ifndef POPD_CORE_ARRIVE_H
#define POPD_CORE_ARRIVE_H

#include "lib/cc.h"
#include "popd/core/batch.h"

/* Parses the headers; sets each job's work, with the identity to look up. */
void arrive_parse(struct batch *b) NONNULL;
/* Finds faults that need no digest, and requests the digests; work.route is that of the identity. */
void arrive_check(struct batch *b) NONNULL;
/* Accepts what its digest proves to be authentic and is no replay; then work.inner and job.tunnel
 * are final. */
void arrive_accept(struct batch *b) NONNULL;

#endif
