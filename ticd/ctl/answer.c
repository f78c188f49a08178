#include "ticd/ctl/answer.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/err.h"

/* Formats into `out` as one line: libpq's errors have several. */
static void format_line(char out[static FAULT_TEXT], const char *fmt, va_list ap) FORMAT(2, 0);
static void format_line(char out[static FAULT_TEXT], const char *fmt, va_list ap)
{
	vsnprintf(out, FAULT_TEXT, fmt, ap);
	char *end = out;
	for (const char *p = out; *p; p++) {
		bool is_break = strchr("\t\r\n", *p) != NULL;
		if (!is_break)
			*end++ = *p;
		else if (end > out && end[-1] != ' ')
			*end++ = ' ';
	}
	while (end > out && end[-1] == ' ')
		end--;
	*end = '\0';
}

int fault_set(struct fault *f, int err, const char *code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	format_line(f->text, fmt, ap);
	va_end(ap);
	snprintf(f->code, sizeof(f->code), "%s", code);
	return err;
}

int fault_nomem(struct fault *f)
{
	return fault_set(f, -ERR_NOMEM, "failed", "out of memory");
}

void fault_prefix(struct fault *f, const char *fmt, ...)
{
	char prefix[FAULT_TEXT];
	va_list ap;
	va_start(ap, fmt);
	format_line(prefix, fmt, ap);
	va_end(ap);
	size_t len = strlen(prefix);
	if (len + 2 >= FAULT_TEXT)
		return; /* the reason is more important */
	memmove(f->text + len + 2, f->text, FAULT_TEXT - len - 2);
	memcpy(f->text, prefix, len);
	memcpy(f->text + len, ": ", 2);
	f->text[FAULT_TEXT - 1] = '\0';
}
