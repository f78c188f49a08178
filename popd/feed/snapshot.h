/*
 * The formats of the snapshot and of the endpoint journal. A snapshot is the whole table as bytes:
 * the PoP, every tunnel's configuration and its client's last endpoint. With it popd forwards at
 * once after a restart, without the database. The journal has one record for each change of an
 * endpoint, so that a SIGKILL between two snapshots loses nothing. Decoding trusts neither. No
 * file, clock or log; control thread only.
 */
#ifndef POPD_FEED_SNAPSHOT_H
#define POPD_FEED_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "lib/digest.h"
#include "popd/core/table.h"

enum { SNAPSHOT_NAME = 32, JOURNAL_RECORD = 32 };

struct snapshot_head {
	char pop[SNAPSHOT_NAME + 1]; /* name of the PoP whose table it is */
	uint64_t feed_seq;           /* number of the last change in it */
	uint32_t written;            /* wall second */
};

/* Times are wall seconds in the files and monotonic in the table. `now` tells one by the other. */

/* Encodes the table into malloc'ed bytes, to be freed by snapshot_free. 0; -ERR_NOMEM; -ERR_RANGE: a
 * number in the table does not fit its field, which is a bug. */
int snapshot_encode(struct table *t, const struct snapshot_head *head, struct moment now,
		    uint8_t **out, size_t *len) NONNULL MUSTCHECK;
/* Wipes the bytes, which hold the secrets, and frees them. NULL is fine. */
void snapshot_free(uint8_t *data, size_t len);

/* Fills an empty table and `head`. It reads the versions before, too. 0; -ERR_FORMAT: no snapshot,
 * another version, or a wrong checksum; -ERR_TRUNCATED; -ERR_TRAILING; -ERR_RANGE: an invalid value; -ERR_NOMEM: no memory, or
 * more tunnels than slots; -ERR_EXISTS: the table is not empty. After a failure the table is empty
 * (or as it was, with -ERR_EXISTS) and `head` untouched. */
int snapshot_decode(struct table *t, struct digest_ctx *digest, const uint8_t *data, size_t len,
		    struct moment now, struct snapshot_head *head) NONNULL MUSTCHECK;
/* Deletes every tunnel and the PoP's prefixes. */
void snapshot_empty(struct table *t) NONNULL;

struct journal_entry {
	uint32_t tunnel; /* T-id */
	/* its time is not in it: */
	struct tunnel_memory memory;
	uint32_t heard; /* wall second */
};

void journal_encode(const struct journal_entry *e, uint8_t out[static JOURNAL_RECORD]) NONNULL;
/* 0, or -ERR_FORMAT: not a record, or a damaged one. */
int journal_decode(const uint8_t in[static JOURNAL_RECORD], struct journal_entry *out)
	NONNULL MUSTCHECK;
/* Applies the records in order, up to the first that is cut or damaged, and skips those of tunnels
 * that the table does not have. Returns the number of bytes before that record. */
size_t journal_apply(struct table *t, const uint8_t *data, size_t len, struct moment now) NONNULL;

/* CRC-32C (Castagnoli, RFC 3720 12.1), the checksum of both formats, by the processor's instruction
 * where it has one. */
uint32_t crc32c(const void *data, size_t len) NONNULL;
/* The same without that instruction. */
uint32_t crc32c_portable(const void *data, size_t len) NONNULL;

#endif
