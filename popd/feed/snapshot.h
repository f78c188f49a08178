/*
 * The table as bytes for the disk, so that popd forwards at once after a restart, database or not:
 * who the PoP is, every tunnel's configuration, where its client was last seen. And the journal:
 * one small record each time a client moves, so that a SIGKILL between two snapshots loses nothing.
 * Both are checked as if an enemy had written them. No file is touched here. Control thread only.
 */
#ifndef POPD_FEED_SNAPSHOT_H
#define POPD_FEED_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"
#include "popd/core/table.h"

enum { SNAPSHOT_NAME = 32, JOURNAL_RECORD = 32 };

struct snapshot_head {
	char pop[SNAPSHOT_NAME + 1]; /* the PoP's name: another one's snapshot is not ours */
	uint64_t feed_seq;           /* changes after this one are not in it */
	uint32_t written;            /* wall second */
};

/* All of the table. Gives malloc'ed bytes, freed by the caller, who also wipes them: they hold the
 * secrets. 0, -ERR_NOMEM, or -ERR_RANGE: a fault of ours. */
int snapshot_encode(struct table *t, const struct snapshot_head *head, uint8_t **out, size_t *len)
	NONNULL MUSTCHECK;

/* Fills an empty table and `head`. 0; -ERR_FORMAT: no snapshot, or of another version;
 * -ERR_TRUNCATED, -ERR_TRAILING; -ERR_RANGE: well formed, but what it says cannot be; -ERR_NOMEM:
 * does not fit; -ERR_EXISTS: the table is not empty. After a failure the table is as empty as
 * before. */
int snapshot_decode(struct table *t, struct digest_ctx *digest, const uint8_t *data, size_t len,
		    struct snapshot_head *head) NONNULL MUSTCHECK;

struct journal_entry {
	uint32_t tunnel; /* T-id */
	uint64_t endpoint;
	uint32_t newest, heard;
};

void journal_encode(const struct journal_entry *e, uint8_t out[static JOURNAL_RECORD]) NONNULL;
/* 0, or -ERR_FORMAT: not a whole record. */
int journal_decode(const uint8_t in[static JOURNAL_RECORD], struct journal_entry *out)
	NONNULL MUSTCHECK;
/* Applies a journal's records to the table, in order, up to the first that is not whole; tunnels
 * that are gone are passed over. Gives the number of bytes that were good. */
size_t journal_apply(struct table *t, const uint8_t *data, size_t len) NONNULL;

#endif
