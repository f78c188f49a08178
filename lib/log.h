/*
 * Leveled log to standard error, one line a call: "<RFC 3339 time> <level> <program>: <text>".
 * Preserves errno. All but printable ASCII in the text comes out as \xNN, so that nothing from
 * outside can forge a line; a text over 800 characters is cut. Never pass a secret, key or
 * challenge answer. The only module with static state (program name, level, output).
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
	FORMAT(1, 2); /* something is wrong, we go on; with errno */
void log_warnx(const char *fmt, ...) NONNULL_ARGS(1) FORMAT(1, 2); /* the same, without */
void log_info(const char *fmt, ...) NONNULL_ARGS(1) FORMAT(1, 2);
void log_debug(const char *fmt, ...) NONNULL_ARGS(1) FORMAT(1, 2);

/* For what the network can cause: at most `burst` lines a `period` seconds from one `struct
 * log_limit`; the rest is counted and told in the next line that passes ("... (37 more like
 * this)"). The struct is the caller's, zero-initialised. Thread-safe per struct owner only. */
struct log_limit {
	uint64_t window; /* monotonic second in which `used` began */
	uint32_t used;
	uint32_t held;
};
void log_limited(struct log_limit *limit, uint32_t burst, uint32_t period, enum log_level level,
		 const char *fmt, ...) NONNULL_ARGS(1, 5) FORMAT(5, 6);

#endif
