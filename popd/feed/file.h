/* Whole files for the store: read into memory, or replaced so that a crash leaves the old file or
 * the new one. */
#ifndef POPD_FEED_FILE_H
#define POPD_FEED_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

enum { FILE_SIZE_MAX = 1 << 30 };

/* Reads a file into malloc'ed memory, to be freed by file_free. 0; -ERR_NOT_FOUND; -ERR_SYS with
 * errno; -ERR_RANGE: larger than FILE_SIZE_MAX; -ERR_NOMEM. */
int file_read(const char *path, uint8_t **data, size_t *len) NONNULL MUSTCHECK;
/* Wipes and frees it, since it may hold secrets. NULL is fine. */
void file_free(uint8_t *data, size_t len);

/* Writes all of `data`. False with errno: some of it may be written. */
bool file_write(int fd, const uint8_t *data, size_t len) NONNULL MUSTCHECK;

struct file_replacement {
	const char *path, *temporary, *directory; /* both files are in the directory */
	const uint8_t *data;
	size_t len;
};
/* Writes the temporary file (mode 0600), syncs it, renames it to `path` and syncs the directory.
 * NULL, or with errno the name of the step that failed. */
const char *file_replace(const struct file_replacement *r) NONNULL MUSTCHECK;

#endif
