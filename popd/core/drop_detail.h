/*
 * What is kept of a dropped packet besides its first bytes, and the sentence that this makes: "the
 * client's clock is 312 s ahead of ours" rather than drop.h's general one. Each kind of detail has
 * one function that takes it from the packet and one that says it; drop.h's list gives every reason
 * its kind. Pure.
 */
#ifndef POPD_CORE_DROP_DETAIL_H
#define POPD_CORE_DROP_DETAIL_H

#include <stdint.h>

#include "lib/cc.h"
#include "popd/core/drop_record.h"
#include "popd/core/job.h"
#include "popd/core/work.h"

/* A packet that is being dropped. */
struct drop_subject {
	const struct job *job;
	const struct work *work;
	const struct tunnel *tunnel;    /* that the drop is counted for; NULL: none */
	const struct tunnel_conf *conf; /* of `tunnel` */
	const struct pop_conf *pop;
	struct timestamp now;
};

/* Fills drop_note.detail, which is zero before. */
void drop_detail_take(enum drop why, const struct drop_subject *s, uint64_t out[static 2]) NONNULL;

enum { DROP_DETAIL_TEXT = 200 };

/* Writes the sentence about a note into `out`, which is returned; drop_text's when the note has no
 * detail. */
const char *drop_detail_text(const struct drop_note *n, char out[static DROP_DETAIL_TEXT]) NONNULL;

#endif
