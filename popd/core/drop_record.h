/*
 * What is kept of the last packet dropped for one reason: when, from where, its first bytes as they
 * were received, and the detail of its sentence (drop_detail.h). A note is plain data. A record is
 * where one worker stores its notes and any thread reads them, under a sequence lock: a reader gets
 * a whole note, or tries again.
 *
 * A record never holds key material: the bytes are restored to those received (batch.c).
 */
#ifndef POPD_CORE_DROP_RECORD_H
#define POPD_CORE_DROP_RECORD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/cc.h"
#include "popd/core/drop.h"

enum { DROP_HEAD = 128 }; /* bytes of the packet that are kept */

struct drop_note {
	enum drop why;
	uint8_t source; /* enum job_source: what the bytes are */
	/* the kernel refused to send the packet: the bytes are those of the output, `peer` is its
	 * destination, `source` where such packets are received */
	bool refused;
	uint32_t time;    /* wall second */
	uint32_t tunnel;  /* T-id; 0: unknown */
	uint32_t len;     /* of the whole packet */
	uint8_t head_len; /* bytes of `head` */
	uint64_t peer;    /* endpoint word of the outer source; 0: none (uplink, or popd itself) */
	uint64_t detail[2]; /* by reason: drop_detail.c */
	union {
		uint8_t head[DROP_HEAD];
		uint64_t words[DROP_HEAD / 8];
	};
};

/* Copies the first bytes of `data`; does not set n->len. */
static inline void note_head(struct drop_note *n, const uint8_t *data, uint32_t len)
{
	n->head_len = (uint8_t)(len < DROP_HEAD ? len : DROP_HEAD);
	if (n->head_len > 0)
		memcpy(n->head, data, n->head_len);
}

enum { DROP_RECORD_WORDS = 5 + DROP_HEAD / 8 };

struct drop_record {
	_Atomic uint32_t sequence; /* odd while it is being written */
	_Atomic uint64_t words[DROP_RECORD_WORDS];
};

/* The record's one writer. */
void drop_record_write(struct drop_record *r, const struct drop_note *n) NONNULL;
/* Deletes the note: by the writer, or when there is no writer. */
void drop_record_clear(struct drop_record *r) NONNULL;

enum drop_record_state {
	DROP_RECORD_EMPTY,
	DROP_RECORD_READ, /* `out` is a note */
	DROP_RECORD_BUSY, /* it is being written: try again */
};
/* Any thread. */
enum drop_record_state drop_record_read(const struct drop_record *r, struct drop_note *out)
	NONNULL MUSTCHECK;

#endif
