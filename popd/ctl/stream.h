/* Lines that popd sends for as long as one listens, until Ctrl-C (or SIGTERM) ends it. */
#ifndef POPD_CTL_STREAM_H
#define POPD_CTL_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/cc.h"

struct stream;

enum { STREAM_WHY = 120 };

/* From now on the two signals no longer end the process but the stream. NULL: no memory. `fd` stays
 * the caller's. */
struct stream *stream_open(int fd);
void stream_close(struct stream *s); /* NULL is fine */

/* The next line without its newline, which is the stream's until the next call. NULL: `why` says
 * so, or is empty when a signal has ended it. */
char *stream_line(struct stream *s, char why[static STREAM_WHY]) NONNULL;
/* True when the next line has arrived already. */
bool stream_has_line(const struct stream *s) NONNULL;

#endif
