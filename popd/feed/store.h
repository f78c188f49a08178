/*
 * The snapshot and the endpoint journal as files. The snapshot is replaced whole (temporary file,
 * fsync, rename, fsync of the directory) by a thread of its own, so that a large one holds nothing
 * up; the journal is appended to. After any crash the two together say what was true a moment
 * before it.
 *
 * <path>              the snapshot
 * <path>.journal      endpoints since the snapshot
 * <path>.journal.old  the same from before, while a snapshot is being written
 * <path>.bad          a damaged snapshot, set aside for a look at it
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

/* `path` and `pop` (the PoP's name) are copied. NULL: no memory. */
struct store *store_create(const char *path, const char *pop, struct table *t);
/* Waits for a snapshot that is being written. NULL is fine. */
void store_free(struct store *s);

/* Fills the empty table from the files and says in the log what it found. true: there was a
 * snapshot of this PoP; `head` tells of it. */
bool store_load(struct store *s, struct digest_ctx *digest, struct snapshot_head *head) NONNULL;

/* A tunnel's endpoint has moved: the next store_append writes it. */
void store_note(struct store *s, const struct tunnel *t) NONNULL;
/* Notes every tunnel whose endpoint or newest epoch differs from what is on disk. */
void store_note_changed(struct store *s) NONNULL;
/* Appends what was noted to the journal. */
void store_append(struct store *s) NONNULL;

/* Starts writing a snapshot; false: one is still being written. */
bool store_begin_snapshot(struct store *s, uint64_t feed_seq, uint32_t now) NONNULL;
/* True while one is on its way to the disk; takes note of its end (call now and then). */
bool store_is_writing(struct store *s) NONNULL;
/* Waits until the one being written, if any, is on disk. */
void store_finish_snapshot(struct store *s) NONNULL;
/* True when something was noted since the last snapshot began. */
bool store_is_behind(const struct store *s) NONNULL;

/* Wall second and size of the last good snapshot, 0 when there is none; for the status. */
uint32_t store_written(const struct store *s) NONNULL;
uint64_t store_size(const struct store *s) NONNULL;

#endif
