/* The SQL of the schema, embedded at build time by schema/embed.sh: migrations by number, then
 * roles.sql, then api/ by name. */
#ifndef TICD_CTL_SCHEMA_FILES_H
#define TICD_CTL_SCHEMA_FILES_H

#include <stddef.h>

struct schema_file {
	/* below schema/: "migrations/0001_base.sql", "roles.sql", "api/tic.sql" */
	const char *path;
	const char *text; /* NUL-terminated */
	size_t len;       /* without the NUL */
};

extern const struct schema_file schema_files[]; /* ends with a row whose path is NULL */

#endif
