/* What the stages of the pipeline know about one job beyond the job itself. */
#ifndef POPD_CORE_WORK_H
#define POPD_CORE_WORK_H

#include "lib/digest.h"
#include "lib/wire/ayiya.h"
#include "lib/wire/heartbeat.h"
#include "lib/wire/icmp4.h"
#include "popd/core/drop.h"
#include "popd/core/table.h"

struct work {
	uint8_t *inner;      /* the inner packet; NULL: none (yet) */
	uint32_t inner_len;  /* by its IPv6 header */
	bool echo_requested; /* the packet is an AYIYA echo request */
	uint64_t from;       /* endpoint word of the outer source; 0: uplink */
	/* why an otherwise authentic packet is dropped; only who knows the secret has it counted */
	enum drop fault;
	/* it is dropped, and its sender, the tunnel's own client, is told by `near`: the tunnel does
	 * not carry such packets any more */
	bool refused;
	/* the client's tunnel is gone: the one that has the packet's source now pays nothing */
	bool gone;
	struct ip6 near;
	const struct ip6 *identity; /* the address that names the tunnel; NULL: none does */
	struct route route;         /* to `identity`; later to the inner source */
	union {
		struct ayiya_view ayiya;
		struct heartbeat beat;
		struct icmp4_error icmp4;
	};
	/* The signature as received. The key replaces it in the job's data, from `signature_at` on;
	 * signature_len 0: nothing was replaced. */
	uint8_t signature[DIGEST_MAX_LEN];
	uint32_t signature_at, signature_len;
	uint8_t digest[DIGEST_MAX_LEN]; /* what the signature should be */
	bool remarked;                  /* ECN changed the inner traffic class, */
	uint8_t class;                  /* which was this */
};

#endif
