/* Statistics as the doors of the database read them: a batch column by column, as PostgreSQL array
 * texts. */
#ifndef POPD_REPORT_STATS_TEXT_H
#define POPD_REPORT_STATS_TEXT_H

#include <stdbool.h>

#include "lib/cc.h"
#include "popd/report/stats.h"

/* The parameters of api.popd_samples from `tunnel` on. */
enum stats_column {
	STATS_TUNNEL,
	STATS_DAY,
	STATS_QUARTER,
	STATS_MEASURES, /* MEASURE__TUNNEL of them, in the list's order */
	STATS_DROP_TUNNEL = STATS_MEASURES + MEASURE__TUNNEL,
	STATS_DROP_DAY,
	STATS_DROP_REASON,
	STATS_DROP_PACKETS,
	STATS_COLUMNS
};

/* One column of a batch, malloc'ed, for free(). NULL: no memory. */
char *stats_column_text(const struct stats_batch *b, enum stats_column column) NONNULL;

/* The names of all drop reasons, or their sentences in the same order, likewise. */
char *stats_reasons_text(bool sentences);

#endif
