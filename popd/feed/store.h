/*
 * The snapshot and the endpoint journal as files. A thread writes the snapshot, so that a large one
 * delays nothing, and replaces the old one by rename; the journal is appended to. After a crash the
 * two together give the table as it was when the journal was last appended to.
 *
 * <path>              the snapshot
 * <path>.tmp          a snapshot that is being written
 * <path>.journal      endpoints since the snapshot
 * <path>.journal.old  endpoints before that, while a snapshot is being written
 * <path>.bad, .journal.bad, .journal.old.bad
 *                     those that could not be used, kept aside: popd never deletes what it could
 *                     not read
 */
#ifndef POPD_FEED_STORE_H
#define POPD_FEED_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"
#include "popd/core/table.h"
#include "popd/feed/snapshot.h"

struct store;

/* Copies `path` and `pop`, the PoP's name. NULL: no memory. */
struct store *store_create(const char *path, const char *pop, struct table *t) NONNULL;
/* Waits for a snapshot that is being written. NULL is fine. */
void store_free(struct store *s);

/* Fills the empty table from the files and logs the result. True: there was a snapshot of this PoP,
 * whose head is in `head`; false: the table is empty. */
bool store_load(struct store *s, struct digest_ctx *digest, struct moment now,
		struct snapshot_head *head) NONNULL;

/* Notes a tunnel's endpoint for the next store_append. */
void store_note(struct store *s, const struct tunnel *t, struct moment now) NONNULL;
/* Notes every tunnel whose endpoint or newest epoch differs from the noted one. */
void store_note_changed(struct store *s, struct moment now) NONNULL;
/* Appends what was noted to the journal. A failure is logged; store_is_behind then asks for a
 * snapshot, which holds the same. */
void store_append(struct store *s) NONNULL;

/* Starts writing a snapshot. False: one is still being written, or there is no memory or no thread
 * for it, which is logged; store_is_behind stays as it was. */
bool store_begin_snapshot(struct store *s, uint64_t feed_seq, struct moment now) NONNULL MUSTCHECK;
/* True while a snapshot is being written. Also concludes one that was written, so call it each
 * second; if that one failed, this is logged and the store is behind again. */
bool store_is_writing(struct store *s) NONNULL;
/* Waits for the snapshot that is being written, if any, and concludes it. */
void store_finish_snapshot(struct store *s) NONNULL;
/* True when a snapshot is due: something was noted since the last one began, or that one failed. */
bool store_is_behind(const struct store *s) NONNULL;

/* When the last good snapshot was written, and its size in bytes; 0: there is none. */
mono_s_t store_written(const struct store *s) NONNULL;
uint64_t store_size(const struct store *s) NONNULL;

#endif
