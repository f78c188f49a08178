/*
 * Applies rows of the feed to the tunnel table. A prefix that moves from one tunnel to another may
 * arrive with its new tunnel first; the table refuses that, since a prefix belongs to one tunnel.
 * Such a configuration waits and is tried again when the rows that belong together have arrived. A
 * row that is refused is logged, and its tunnel stays as it was. The endpoints of tunnels that end are
 * remembered (core/gone.h). No database.
 */
#ifndef POPD_FEED_APPLY_H
#define POPD_FEED_APPLY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/digest.h"
#include "popd/core/table.h"
#include "popd/feed/feedrow.h"

struct apply;

/* Borrows both. NULL: no memory. */
struct apply *apply_create(struct table *t, struct digest_ctx *digest) NONNULL;
void apply_free(struct apply *a); /* NULL is fine */

/* Before the first row of a full load: no tunnel is named yet, nothing waits. */
void apply_begin_load(struct apply *a) NONNULL;
/* Sets a tunnel, and notes that the load has named it. */
void apply_set(struct apply *a, const struct feedrow_tunnel *row) NONNULL;
/* Deletes a tunnel; one that the table does not have is fine. */
void apply_delete(struct apply *a, uint32_t id) NONNULL;
/* Counts and logs a row that is neither. */
void apply_refuse(struct apply *a, const char *why) NONNULL;
/* After the last row of a full load: deletes every tunnel that it did not name, then does what
 * apply_settle does. Returns the number of deleted tunnels. */
size_t apply_end_load(struct apply *a) NONNULL;
/* After changes that arrived together: sets the tunnels that wait, and refuses those whose prefix
 * still belongs to another tunnel. */
void apply_settle(struct apply *a) NONNULL;
/* After a failure: the rows will arrive again, so what waits is dropped. */
void apply_drop_waiting(struct apply *a) NONNULL;

uint64_t apply_refused(const struct apply *a) NONNULL; /* number of rows */

#endif
