/*
 * Asking an address whether the tunnel's client is there, as QUIC validates a path (RFC 9000 8.2):
 * an ICMPv6 echo request from `<tunnel>::1` to `<tunnel>::2`, sent to that address, whose payload
 * is a time and a check value over it, the tunnel, the address and the port. So its answer proves
 * by itself what was asked, and any worker may receive it. An address that does not answer is asked
 * again after 1 s and after 3 s: each worker has lists of those that it asked. Pure.
 */
#ifndef POPD_CORE_ASK_H
#define POPD_CORE_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/tunnel.h"

enum {
	ASK_LEN = 64,              /* bytes of the inner packet */
	ASK_LIFE_US = 5 * 1000000, /* an answer must come within this time */
	ASK_TIMES = 3,             /* how often an address is asked */
	ASK_LIST = 1024,           /* addresses in a worker's list */
};

/* An asked address. `endpoint`: the endpoint word of the packet that it is asked about. */
struct ask {
	struct tunnel *tunnel;
	uint64_t endpoint;
	int64_t asked_us; /* the first time */
	uint32_t id;      /* T-id, by which a slot that another tunnel has taken is told */
	uint16_t number;  /* how often it was asked before: 0 to ASK_TIMES - 1 */
};

/* Writes the inner packet. `id`: the ICMPv6 identifier. */
void ask_build(uint8_t out[static ASK_LEN], const struct ask *a, const struct tunnel_conf *c,
	       const uint8_t key[static 16], uint16_t id) NONNULL;

/* True when `echo`, an ICMPv6 echo reply of `len` bytes from ::2 to ::1 that came from the address
 * and port of `endpoint`, answers an ask of them less than ASK_LIFE_US ago. */
bool ask_is_answer(const uint8_t *echo, size_t len, const struct tunnel_conf *c,
		   const uint8_t key[static 16], uint64_t endpoint, int64_t mono_us) NONNULL;

/* The same for a whole inner packet, of which ipv6_check gave the length. */
bool ask_is_answer_packet(const uint8_t *packet, size_t len, const struct tunnel_conf *c,
			  const uint8_t key[static 16], uint64_t endpoint, int64_t mono_us) NONNULL;

/* When the address was asked that such a packet answers. */
int64_t ask_time_of_answer(const uint8_t *packet) NONNULL;

/* ---- a worker's list; zeroed: empty ---- */

struct asks {
	/* All that were added are numbered from 0. As each turn has the same delay, those of one
	 * turn fall due in the order in which they were added. */
	uint64_t added;
	uint64_t next[ASK_TIMES]; /* by turn: the number of the next one due */
	struct ask list[ASK_LIST];
};

/* Adds an address, to be asked at once. The oldest is forgotten when the list is full. */
void asks_add(struct asks *l, const struct ask *a) NONNULL;
/* The newest ask of this address that may still be answered; NULL: there is none. Valid until the
 * next asks_add. */
const struct ask *asks_find(const struct asks *l, const struct tunnel *t, uint64_t endpoint,
			    int64_t mono_us) NONNULL;
/* Takes the next one that is due. */
bool asks_take_due(struct asks *l, int64_t mono_us, struct ask *out) NONNULL MUSTCHECK;
/* When the next one is due: microseconds of the monotonic clock; INT64_MAX: none waits. */
int64_t asks_due_us(const struct asks *l) NONNULL;
/* True when one waits to be asked for the first time. */
static inline bool asks_has_new(const struct asks *l)
{
	return l->next[0] != l->added;
}

#endif
