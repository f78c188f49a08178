/*
 * Rates are of the time since popd last took a sample, for any client. So the first answer only
 * makes popd take one, and each table covers the time since the table before.
 */
#include "popd/ctl/top.h"

#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "popd/ctl/ask.h"
#include "popd/ctl/print.h"
#include "popd/ctl/request.h"

/* As top(1) does: to the upper left corner, then erase all that follows. */
static const char clear_screen[] = "\033[H\033[J";

static const char *const heads[] = {
	"TUNNEL",    "TYPE",    "ENDPOINT", "IN",      "OUT",   "PKT/S IN",
	"PKT/S OUT", "DROPS/S", "ALL IN",   "ALL OUT", "DROPS",
};

static void add_row(struct columns *c, const json_t *t)
{
	char cell[CELL];

	columns_add(c, cell_text(t, "id"));
	columns_add(c, cell_text(t, "type"));
	columns_add(c, cell_text(t, "endpoint"));
	columns_add(c, cell_bits(cell_number(t, "bits_in_per_second"), cell));
	columns_add(c, cell_bits(cell_number(t, "bits_out_per_second"), cell));
	columns_add(c, cell_rate(t, "packets_in_per_second", cell));
	columns_add(c, cell_rate(t, "packets_out_per_second", cell));
	columns_add(c, cell_rate(t, "drops_per_second", cell));
	columns_add(c, cell_bytes(cell_number(t, "bytes_in"), cell));
	columns_add(c, cell_bytes(cell_number(t, "bytes_out"), cell));
	columns_add(c, cell_count(cell_number(t, "drops"), cell));
}

static void show_table(const json_t *o, FILE *out)
{
	const json_t *list = json_object_get(o, "tunnels");
	struct columns *c = columns_create(ARRAY_LEN(heads), "00011111111");

	if (!c)
		return;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++)
		columns_add(c, heads[i]);
	for (size_t i = 0; i < json_array_size(list); i++)
		add_row(c, json_array_get(list, i));
	fprintf(out, "the busiest tunnels by %s, in the last %.1f s; IN is from the client\n",
		cell_text(o, "by"), (double)cell_number(o, "window_ms") / 1000);
	if (json_array_size(list) > 0)
		columns_print(c, out);
	else
		fprintf(out, "no tunnel had any %s\n", cell_text(o, "by"));
	columns_free(c);
}

/* false: it cannot be written, since nobody reads it any more. */
static bool show(const json_t *answer, const struct request *r, bool is_terminal, FILE *out)
{
	if (r->json) {
		(void)json_dumpf(answer, out,
				 JSON_REAL_PRECISION(9) |
					 (r->once ? JSON_INDENT(2) : JSON_COMPACT));
		fputc('\n', out);
	} else {
		if (is_terminal && !r->once)
			fputs(clear_screen, out);
		show_table(answer, out);
		if (!is_terminal && !r->once)
			fputc('\n', out);
	}
	return fflush(out) == 0;
}

static void wait_for(unsigned ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	(void)nanosleep(&t, NULL);
}

int top_run(int fd, const struct request *r, FILE *out, FILE *err)
{
	json_t *request = json_pack("{s:s, s:i}", "command", "top", "limit", (int)r->limit),
	       *answer;
	bool is_terminal = isatty(fileno(out)) == 1, first = true, done = false;

	if (r->by)
		(void)json_object_set_new(request, "by", json_string(r->by));
	while (!done && (answer = ask(fd, request, err))) {
		if (!first && json_is_integer(json_object_get(answer, "window_ms")))
			done = !show(answer, r, is_terminal, out) || r->once;
		json_decref(answer);
		first = false;
		if (!done)
			wait_for(r->interval_ms);
	}
	json_decref(request);
	return done && !ferror(out) ? 0 : 1;
}
