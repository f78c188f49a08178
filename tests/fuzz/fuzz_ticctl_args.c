/*
 * Any arguments for any command (the first byte selects it; an argument ends with a newline). They
 * are refused with a sentence, or complete, and then written in the plainest form they give the
 * same values.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ticd/ctl/commands.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARGS = 24 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* `--name=value` for each option, then "--" and the positional arguments. */
static size_t say_again(const struct param *params, const struct args *args, char *text,
			size_t space, char **argv)
{
	size_t n = 0;

	for (int places = 0; places < 2; places++) {
		for (size_t i = 0; params[i].name; i++) {
			const char *value = args->value[i];
			bool named = param_is_option(&params[i]);
			if (param_is_hidden(&params[i]) || !value || named == (places == 1) ||
			    (params[i].kind == ARG_FLAG && strcmp(value, "false") == 0))
				continue;
			int len = params[i].kind == ARG_FLAG
					  ? snprintf(text, space, "%s", params[i].name)
				  : named ? snprintf(text, space, "%s=%s", params[i].name, value)
					  : snprintf(text, space, "%s", value);
			require(len >= 0 && (size_t)len < space);
			argv[n++] = text;
			text += len + 1;
			space -= (size_t)len + 1;
		}
		if (places == 0)
			argv[n++] = strcpy(text, "--"), text += 3, space -= 3;
	}
	return n;
}

static void check(const struct param *params, const struct args *args)
{
	static char text[8192];
	char *argv[2 * PARAMS_MAX];
	struct args again;
	struct fault fault;
	size_t n = say_again(params, args, text, sizeof(text), argv);

	require(args_parse(params, argv, n, &again, &fault) == 0 && again.n == args->n);
	for (size_t i = 0; i < args->n; i++) {
		const char *a = args->value[i], *b = again.value[i];
		require(a ? b && strcmp(a, b) == 0 : !b);
		require(a || params[i].optional || param_is_hidden(&params[i]));
		require(!a || params[i].kind != ARG_CHOICE || strstr(params[i].meta, a));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static size_t count;
	char *text = malloc(size + 1), *rest = text, *argv[ARGS];
	struct args args;
	struct fault fault = { "", "" };
	size_t n = 0;

	require(text != NULL);
	while (commands[count].name)
		count++;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	const struct command *c = &commands[size > 0 ? data[0] % count : 0];
	if (size > 0)
		rest++;
	for (char *arg; n < ARGS && (arg = strsep(&rest, "\n"));)
		argv[n++] = arg;
	if (args_parse(c->params, argv, n, &args, &fault) == 0)
		check(c->params, &args);
	else
		require(*fault.text && strcmp(fault.code, "usage") == 0 &&
			strlen(fault.text) < FAULT_TEXT);
	free(text);
	return 0;
}
