/* A configuration file of any bytes: refused with a line, or loaded, and then its dump loads and
 * dumps the same again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config.h"
#include "lib/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct conf {
	char *name, *note;
	int64_t number, choice;
	bool flag;
	struct ip4 ip4;
	struct ip6 ip6;
	struct config_listen listen;
};

static const char *const choices[] = { "one", "two", NULL };

static const struct config_key keys[] = {
	{ "a", "name", CONFIG_TEXT, offsetof(struct conf, name), 1, 64, NULL, "x", false,
	  "a name" },
	{ "a", "note", CONFIG_TEXT, offsetof(struct conf, note), 0, 4096, NULL, "", false,
	  "a note" },
	{ "a", "number", CONFIG_NUMBER, offsetof(struct conf, number), -5, 500, NULL, "1", false,
	  "a number" },
	{ "a", "choice", CONFIG_CHOICE, offsetof(struct conf, choice), 0, 0, choices, "one", true,
	  "a choice" },
	{ "b", "flag", CONFIG_BOOL, offsetof(struct conf, flag), 0, 0, NULL, "no", true, "a flag" },
	{ "b", "ip4", CONFIG_IP4, offsetof(struct conf, ip4), 0, 0, NULL, "", false, "an address" },
	{ "b", "ip6", CONFIG_IP6, offsetof(struct conf, ip6), 0, 0, NULL, "::1", false,
	  "an address" },
	{ "b", "listen", CONFIG_LISTEN, offsetof(struct conf, listen), 0, 0, NULL, "[::1]:80",
	  false, "an endpoint" },
};

/* The dump of the configuration `data`, or NULL when it is refused. */
static char *load_and_dump(const void *data, size_t size)
{
	struct conf conf = { 0 };
	char error[CONFIG_ERROR_TEXT], copy[1], *dump = NULL;
	size_t len = 0;
	FILE *in = size ? fmemopen((void *)(uintptr_t)data, size, "r") : fmemopen(copy, 1, "w+");

	if (!in)
		abort();
	int err = config_read(in, "f", keys, ARRAY_LEN(keys), &conf, error);
	fclose(in);
	if (err) {
		if (strncmp(error, "f:", 2) != 0 || conf.name || conf.note)
			abort();
		return NULL;
	}
	FILE *out = open_memstream(&dump, &len);
	if (!out)
		abort();
	config_dump(out, keys, ARRAY_LEN(keys), &conf);
	fclose(out);
	config_free(keys, ARRAY_LEN(keys), &conf);
	return dump;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *first = load_and_dump(data, size);
	if (!first)
		return 0;
	char *second = load_and_dump(first, strlen(first));
	if (!second || strcmp(first, second) != 0)
		abort();
	free(first);
	free(second);
	return 0;
}
