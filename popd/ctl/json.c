#include "popd/ctl/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cc.h"
#include "popd/ctl/client.h"
#include "popd/ctl/json_show.h"
#include "popd/ctl/json_top.h"

static const struct {
	const char *command;
	void (*show)(const json_t *answer, const struct popctl_request *request, FILE *out);
} shows[] = {
	{ "status", show_status },      { "tunnel list", show_tunnel_list },
	{ "tunnel show", show_tunnel }, { "tunnel errors", show_errors },
	{ "counters", show_counters },  { "reasons", show_reasons },
	{ "reload", show_message },     { "log", show_message },
};

json_t *popctl_ask(int fd, const json_t *request, FILE *err)
{
	char why[CLIENT_WHY];
	char *line = json_dumps(request, JSON_COMPACT);
	char *text = line ? client_ask(fd, line, why) : NULL;
	json_t *answer = text ? json_loads(text, 0, NULL) : NULL;

	if (!text)
		fprintf(err, "popctl: %s\n", line ? why : "no memory");
	else if (!json_is_object(answer))
		fprintf(err, "popctl: popd's answer is no JSON object\n");
	else if (json_object_get(answer, "error"))
		fprintf(err, "popctl: %s\n", json_string_value(json_object_get(answer, "error")));
	free(line);
	free(text);
	if (json_is_object(answer) && !json_object_get(answer, "error"))
		return answer;
	json_decref(answer);
	return NULL;
}

/* The number of "T7"; 0 for what has none. */
static long number_of_id(const json_t *tunnel)
{
	const char *id = json_string_value(json_object_get(tunnel, "id"));

	return id && *id ? strtol(id + 1, NULL, 10) : 0;
}

static int by_id(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	long p = number_of_id(*x), q = number_of_id(*y);

	return p < q ? -1 : p > q;
}

/* popd tells of tunnels in the order of its table; people look for numbers. */
static json_t *sorted(json_t *list)
{
	size_t n = json_array_size(list);
	json_t **items = calloc(n + 1, sizeof(*items)), *out = json_array();

	for (size_t i = 0; items && i < n; i++)
		items[i] = json_array_get(list, i);
	if (items)
		qsort(items, n, sizeof(json_t *), by_id);
	for (size_t i = 0; items && i < n; i++)
		(void)json_array_append(out, items[i]);
	free(items);
	json_decref(list);
	return out;
}

/* All pages as one answer. */
static json_t *ask_pages(int fd, json_t *request, FILE *err)
{
	json_t *all = json_array(), *whole = json_object();

	for (;;) {
		json_t *page = popctl_ask(fd, request, err);
		if (!page) {
			json_decref(all);
			json_decref(whole);
			return NULL;
		}
		(void)json_array_extend(all, json_object_get(page, "tunnels"));
		(void)json_object_set(whole, "configured", json_object_get(page, "configured"));
		json_t *next = json_object_get(page, "next");
		bool more = json_is_integer(next);
		if (more)
			(void)json_object_set(request, "after", next);
		json_decref(page);
		if (!more)
			break;
	}
	(void)json_object_set_new(whole, "tunnels", sorted(all));
	return whole;
}

int popctl_run(int fd, const struct popctl_request *r, FILE *out, FILE *err)
{
	if (strcmp(r->command, "top") == 0)
		return popctl_top(fd, r, out, err);
	bool list = strcmp(r->command, "tunnel list") == 0, log = strcmp(r->command, "log") == 0;
	json_t *request = json_pack("{s:s}", "command", r->command);

	if (r->argument)
		(void)json_object_set_new(request, log ? "level" : "what",
					  json_string(r->argument));
	if (list)
		(void)json_object_set_new(request, "all", json_boolean(r->all));
	if (r->reset)
		(void)json_object_set_new(request, "reset", json_true());
	json_t *answer = list ? ask_pages(fd, request, err) : popctl_ask(fd, request, err);
	json_decref(request);
	if (!answer)
		return 1;
	if (r->json) {
		(void)json_dumpf(answer, out, JSON_INDENT(2));
		fputc('\n', out);
	} else {
		for (size_t i = 0; i < ARRAY_LEN(shows); i++)
			if (strcmp(shows[i].command, r->command) == 0)
				shows[i].show(answer, r, out);
	}
	json_decref(answer);
	return 0;
}
