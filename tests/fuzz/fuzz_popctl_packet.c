/* Any lines from a popd that is followed, in each form: popctl shows something or says what is
 * wrong, and reads nothing beyond. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "popd/ctl/packet_show.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A copy of the next line, for a sanitizer to see its end. */
static char *next_line(const uint8_t **data, size_t *left)
{
	const uint8_t *end = memchr(*data, '\n', *left);
	size_t len = end ? (size_t)(end - *data) : *left;
	char *line = malloc(len + 1);

	if (!line)
		abort();
	memcpy(line, *data, len);
	line[len] = '\0';
	*data += end ? len + 1 : len;
	*left -= end ? len + 1 : len;
	return line;
}

static void show_all(const uint8_t *data, size_t left, enum packet_form form, FILE *out)
{
	struct packet_show s = { .out = out, .form = form };
	int status = 0;

	for (int i = 0; left > 0 && status == 0; i++) {
		char *line = next_line(&data, &left);
		status = i == 0 ? packet_show_begin(&s, line, out)
				: packet_show_line(&s, line, out);
		free(line);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char bytes[1 << 18];
	FILE *out = fmemopen(bytes, sizeof(bytes), "w");

	if (!out)
		abort();
	for (enum packet_form form = FORM_TEXT; size > 0 && form <= FORM_INNER; form++)
		show_all(data, size, form, out);
	fclose(out);
	return 0;
}
