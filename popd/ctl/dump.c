#include "popd/ctl/dump.h"

enum { ROW = 16, PAIR = 2 };

static char shown(uint8_t byte)
{
	return byte >= ' ' && byte < 0x7f ? (char)byte : '.';
}

static void dump_row(const uint8_t *data, size_t at, size_t n, FILE *out)
{
	fprintf(out, "\t0x%04zx: ", at);
	for (size_t i = 0; i < ROW; i++) {
		if (i % PAIR == 0)
			fputc(' ', out);
		if (i < n)
			fprintf(out, "%02x", data[i]);
		else
			fputs("  ", out);
	}
	fputs("  ", out);
	for (size_t i = 0; i < n; i++)
		fputc(shown(data[i]), out);
	fputc('\n', out);
}

void dump_bytes(const uint8_t *data, size_t len, FILE *out)
{
	for (size_t at = 0; at < len; at += ROW)
		dump_row(data + at, at, len - at < ROW ? len - at : ROW, out);
}
