#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/wr.h"

/* A line is one write, so that the lines of threads and of several programs on one pipe do not
 * mix. */
enum { TEXT_MAX = 1024, LINE_MAX_BYTES = 4 * TEXT_MAX + 128 };

static const char *program_name = "broker";
static _Atomic int level_limit = LOG_LEVEL_INFO;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warn",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};
_Static_assert(ARRAY_LEN(level_names) == LOG_LEVEL__COUNT, "every level has a name");

void log_init(const char *program, enum log_level level)
{
	program_name = program;
	log_set_level(level);
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&level_limit, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&level_limit, memory_order_relaxed);
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (unsigned i = 0; i < LOG_LEVEL__COUNT; i++) {
		if (strcmp(name, level_names[i]) == 0) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return -ERR_UNKNOWN;
}

const char *log_level_name(enum log_level level)
{
	return (unsigned)level < LOG_LEVEL__COUNT ? level_names[level] : "unknown";
}

static void put_escaped(struct wr *w, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p < 0x20 || *p > 0x7e)
			wr_fmt(w, "\\x%02x", *p);
		else
			wr_u8(w, *p);
	}
}

static void write_line(enum log_level level, const char *text)
{
	char stamp[CLOCK_TEXT];
	char line[LINE_MAX_BYTES];
	struct wr w = wr_init(line, sizeof(line));

	wr_fmt(&w, "%s %s %s: ", wall_text(wall_now(), stamp), log_level_name(level), program_name);
	put_escaped(&w, text);
	wr_str(&w, "\n");
	/* A failure cannot be logged. */
	ssize_t written = write(STDERR_FILENO, line, wr_len(&w));
	(void)written;
}

static bool is_enabled(enum log_level level)
{
	return (int)level <= atomic_load_explicit(&level_limit, memory_order_relaxed);
}

/* Appends the text of `errno_shown` unless it is negative, and a mark to a text that is cut. */
static void vlog(enum log_level level, int errno_shown, uint32_t held, const char *fmt, va_list ap)
	FORMAT(4, 0);
static void vlog(enum log_level level, int errno_shown, uint32_t held, const char *fmt, va_list ap)
{
	static const char cut[] = " [...]";
	int saved = errno;
	char text[TEXT_MAX];

	int len = vsnprintf(text, sizeof(text) - 160, fmt, ap);
	if (len < 0)
		len = snprintf(text, sizeof(text), "%s", fmt);
	size_t used = strlen(text);
	if ((size_t)len > used)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", cut);
	if (errno_shown >= 0)
		used += (size_t)snprintf(text + used, sizeof(text) - used, ": %.100s",
					 strerrordesc_np(errno_shown) ?: "unknown error");
	if (held > 0)
		snprintf(text + used, sizeof(text) - used, " (%u more like this)", held);
	write_line(level, text);
	errno = saved;
}

#define LOG_AT(level, errno_shown)                            \
	do {                                                  \
		va_list ap;                                   \
		va_start(ap, fmt);                            \
		if (is_enabled(level))                        \
			vlog(level, errno_shown, 0, fmt, ap); \
		va_end(ap);                                   \
	} while (0)

void log_error(const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_ERROR, -1);
}

void log_errno(const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_ERROR, errno);
}

void log_warn(const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_WARN, errno);
}

void log_warnx(const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_WARN, -1);
}

void log_info(const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_INFO, -1);
}

void log_debug(const char *fmt, ...)
{
	LOG_AT(LOG_LEVEL_DEBUG, -1);
}

void log_limited(struct log_limit *limit, uint32_t burst, uint32_t period, enum log_level level,
		 const char *fmt, ...)
{
	if (!is_enabled(level))
		return;
	uint64_t second = (uint64_t)(mono_now().ms / 1000);
	if (second - limit->window >= period) {
		limit->window = second;
		limit->used = 0;
	}
	if (limit->used >= burst) {
		limit->held++;
		return;
	}
	limit->used++;
	va_list ap;
	va_start(ap, fmt);
	vlog(level, -1, limit->held, fmt, ap);
	va_end(ap);
	limit->held = 0;
}
