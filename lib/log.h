/*
 * Log with levels to standard error, one line a call: "<RFC 3339 time> <level> <program>: <text>".
 * Preserves errno. All bytes but printable ASCII are written as \xNN, so that nothing from outside
 * can forge a line; a text of more than 800 characters is cut. Never pass a secret, key or
 * challenge response. The only module with static state (program name, level).
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdint.h>

#include "lib/cc.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL__COUNT
};

void log_init(const char *program, enum log_level level) NONNULL;
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "error", "warn", "info", "debug" <-> level; -ERR_UNKNOWN for another name. */
int log_level_parse(const char *name, enum log_level *out) NONNULL MUSTCHECK;
const char *log_level_name(enum log_level level);

void log_error(const char *fmt, ...) NONNULL_ARGS(1)
	FORMAT(1, 2); /* the daemon cannot do its job */
void log_errno(const char *fmt, ...) NONNULL_ARGS(1)
	FORMAT(1, 2); /* the same, with ": " and the errno text */
void log_warn(const char *fmt, ...) NONNULL_ARGS(1)
	FORMAT(1, 2); /* something is wrong, the daemon goes on; with the errno text */
void log_warnx(const char *fmt, ...) NONNULL_ARGS(1) FORMAT(1, 2); /* the same, without */
void log_info(const char *fmt, ...) NONNULL_ARGS(1) FORMAT(1, 2);
void log_debug(const char *fmt, ...) NONNULL_ARGS(1) FORMAT(1, 2);

/* For what the network can cause: at most `burst` lines in `period` seconds for one struct
 * log_limit, which is the caller's and zero at first. Further lines are counted, and the next one
 * that is written says so ("... (37 more like this)"). One thread a struct. */
struct log_limit {
	uint64_t window; /* monotonic second in which `used` began */
	uint32_t used;
	uint32_t held;
};
void log_limited(struct log_limit *limit, uint32_t burst, uint32_t period, enum log_level level,
		 const char *fmt, ...) NONNULL_ARGS(1, 5) FORMAT(5, 6);

#endif
