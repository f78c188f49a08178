#include "popd/ctl/ask.h"

#include <stdlib.h>

#include "popd/ctl/client.h"
#include "popd/ctl/request.h"

json_t *ask(int fd, const json_t *request, FILE *err)
{
	char why[CLIENT_WHY];
	char *line = json_dumps(request, JSON_COMPACT);
	char *text = line ? client_ask(fd, line, why) : NULL;
	json_t *answer = text ? json_loads(text, 0, NULL) : NULL,
	       *error = json_object_get(answer, "error");

	if (!text)
		fprintf(err, "popctl: %s\n", line ? why : "no memory");
	else if (!json_is_object(answer))
		fprintf(err, "popctl: popd's answer is not a JSON object\n");
	else if (error)
		fprintf(err, "popctl: %s\n",
			json_is_string(error) ? json_string_value(error) : "popd refused this");
	free(line);
	free(text);
	if (json_is_object(answer) && !error)
		return answer;
	json_decref(answer);
	return NULL;
}

/* Takes `answer`, which may be NULL. */
static int show(json_t *answer, const struct request *r, FILE *out)
{
	if (!answer)
		return 1;
	if (r->json) {
		(void)json_dumpf(answer, out, JSON_INDENT(2));
		fputc('\n', out);
	} else {
		r->command->show(answer, r, out);
	}
	json_decref(answer);
	return 0;
}

int ask_and_show(int fd, json_t *request, const struct request *r, FILE *out, FILE *err)
{
	json_t *answer = ask(fd, request, err);

	json_decref(request);
	return show(answer, r, out);
}

/* ---- tunnel list ---- */

/* The number of "T7"; 0 when there is none. */
static long number_of(const json_t *tunnel)
{
	const char *id = json_string_value(json_object_get(tunnel, "id"));

	return id && *id ? strtol(id + 1, NULL, 10) : 0;
}

static int by_number(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	long p = number_of(*x), q = number_of(*y);

	return p < q ? -1 : p > q;
}

/* popd lists tunnels in the order of its table, people look for numbers. Takes `list`. */
static json_t *sorted(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **items = calloc(n + 1, sizeof(*items)), *out = json_array();

	if (!items) {
		json_decref(out);
		return list;
	}
	for (size_t i = 0; i < n; i++)
		items[i] = json_array_get(list, i);
	qsort(items, n, sizeof(json_t *), by_number);
	for (size_t i = 0; i < n; i++)
		(void)json_array_append(out, items[i]);
	free(items);
	json_decref(list);
	return out;
}

/* All pages as one answer, or NULL after a sentence. Changes `request`. */
static json_t *ask_pages(int fd, json_t *request, FILE *err)
{
	json_t *all = json_array(), *whole = json_object(), *page;
	bool more = true;

	while (more && (page = ask(fd, request, err))) {
		json_t *next = json_object_get(page, "next");
		(void)json_array_extend(all, json_object_get(page, "tunnels"));
		(void)json_object_set(whole, "configured", json_object_get(page, "configured"));
		more = json_is_integer(next);
		if (more)
			(void)json_object_set(request, "after", next);
		json_decref(page);
	}
	if (!more) {
		(void)json_object_set_new(whole, "tunnels", sorted(all));
		return whole;
	}
	json_decref(all);
	json_decref(whole);
	return NULL;
}

int ask_list(int fd, const struct request *r, FILE *out, FILE *err)
{
	json_t *request = json_pack("{s:s, s:b}", "command", r->command->name, "all", r->all);
	json_t *answer = ask_pages(fd, request, err);

	json_decref(request);
	return show(answer, r, out);
}
