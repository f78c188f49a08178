/*
 * The sentence for the user about the last packet that went for one reason, as specific as its note
 * makes it: "the client's clock is 312 s ahead of ours" rather than the general words of drop.h's
 * list. Pure.
 */
#ifndef POPD_CORE_DROP_SAY_H
#define POPD_CORE_DROP_SAY_H

#include <stddef.h>

#include "lib/cc.h"
#include "popd/core/drop_record.h"

enum { DROP_SAY = 200 };

/* Into `out`, which is returned. A reason that has no more to say than its name gives drop_text's
 * sentence. */
const char *drop_say(const struct drop_note *n, char out[static DROP_SAY]) NONNULL;

#endif
