/*
 * Departure: carries out what forward_decide says, on the packet where it lies. An answer goes back
 * to where the packet came from, whatever the routes say.
 */
#ifndef POPD_CORE_DEPART_H
#define POPD_CORE_DEPART_H

#include "lib/cc.h"
#include "popd/core/batch.h"

/* Decides about job i, whose work.route is that of its inner source, and carries it out; may
 * request a digest. */
void depart_inner(struct batch *b, size_t i, const struct route *destination) NONNULL;
/* Sends a probe of popd's own into its tunnel. */
void depart_probe(struct batch *b, size_t i) NONNULL;
/* Sends an ask of popd's own to the address that is asked. */
void depart_ask(struct batch *b, size_t i) NONNULL;
/* Sends the response to an AYIYA echo request. */
void depart_echo(struct batch *b, size_t i) NONNULL;
/* Tells the own client of a tunnel that is disabled, deleted or of another type now (work.refused)
 * that its packet is prohibited. */
void depart_refusal(struct batch *b, size_t i) NONNULL;

#endif
