/*
 * What is known of a tunnel's endpoints beyond its endpoint word (tunnel.h): since when it has the
 * present one, which it trusted before, which it left within the last minute, who answered; and the
 * budgets for asking addresses (ask.h). replay.h decides by it. Nothing here is touched by a packet
 * that changes nothing.
 *
 * A slot's state belongs to the tunnel (T-id and type) that used it last; another one begins with
 * none. It is read and written under the tunnel's lock only, by any worker or the control thread.
 */
#ifndef POPD_CORE_ROAM_H
#define POPD_CORE_ROAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/job.h"
#include "popd/core/table.h"
#include "popd/core/tunnel.h"

struct roam;

enum {
	ROAM_TRUSTED = 60, /* seconds after which an endpoint is trusted without an answer */
	ROAM_START = 120,  /* seconds after popd's start in which old packets move nothing */
	ROAM_CHANGES = 3,  /* so many changes within ROAM_MINUTE are two clients */
	ROAM_MINUTE = 60,
};

/* Asks that follow a move have budgets of their own, and lists (ask.h), so that a flood of replays
 * starves no client. */
enum roam_budget { ROAM_MOVED, ROAM_DOUBTED, ROAM_BUDGET__COUNT };

/* `start`: when popd was started, .wall 0: it took over from one that ran. `key`: random. NULL: no
 * memory. */
struct roam *roam_create(size_t slots, struct timestamp start, const uint8_t key[static 16]);
void roam_free(struct roam *r); /* NULL is fine */

/* False for addresses that are never asked: martians, and the PoP's own. */
bool roam_may_ask(const struct pop_conf *pop, uint64_t endpoint) NONNULL;

/* Takes one of the asks that are allowed: one a second for an address and port (for each tunnel of
 * an address without a port), 4 for a tunnel, 1,000 for the PoP. Any worker; needs no lock. */
bool roam_take_ask(struct roam *r, const struct tunnel *t, uint64_t endpoint, enum roam_budget b,
		   int64_t mono_us) NONNULL MUSTCHECK;

/* False: the packet may have been recorded before popd's start, so it moves no endpoint. */
bool roam_is_after_start(const struct roam *r, uint32_t epoch, int64_t mono_us) NONNULL;

/* ---- under the tunnel's lock ---- */

/* The word of the last other endpoint that had answered, or had been the endpoint for ROAM_TRUSTED
 * seconds; 0: none. */
uint64_t roam_trusted(struct roam *r, const struct tunnel *t, const struct tunnel_conf *c) NONNULL;

/* Notes that the endpoint changes from `old` (0: none) to `fresh`, both endpoint words. True, at
 * most once a minute: it is the third change within a minute, and `fresh` is one of those left. */
bool roam_note_change(struct roam *r, const struct tunnel *t, const struct tunnel_conf *c,
		      uint64_t old, uint64_t fresh, struct timestamp now) NONNULL;

/* True when the endpoint has not changed since `since_us`. */
bool roam_has_stayed(struct roam *r, const struct tunnel *t, const struct tunnel_conf *c,
		     int64_t since_us) NONNULL;

/* Notes that the address of `endpoint` has answered. */
void roam_note_answer(struct roam *r, const struct tunnel *t, const struct tunnel_conf *c,
		      uint64_t endpoint, int64_t mono_us) NONNULL;

/* ---- they take the lock ---- */

/* True when the address of `endpoint` has answered since. */
bool roam_has_answered(struct roam *r, struct tunnel *t, const struct tunnel_conf *c,
		       uint64_t endpoint, int64_t since_us) NONNULL;

/* Two clients that use one tunnel. */
struct roam_clients {
	uint64_t endpoints[2]; /* endpoint words */
	uint32_t at;           /* wall second at which it was noticed last; 0: never */
};
struct roam_clients roam_clients(struct roam *r, struct tunnel *t, const struct tunnel_conf *c)
	NONNULL;

#endif
