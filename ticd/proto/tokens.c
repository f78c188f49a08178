#include "ticd/proto/tokens.h"

#include <string.h>
#include <strings.h>

#include "lib/rd.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct token trimmed(const char *from, const char *end)
{
	while (from < end && is_blank(*from))
		from++;
	while (from < end && is_blank(end[-1]))
		end--;
	return (struct token){ .text = from, .len = (size_t)(end - from) };
}

struct tokens tokens_split(const char *line, size_t len)
{
	struct tokens tokens = { .n = 0, .rest = { .text = "", .len = 0 } };
	struct rd r = rd_init(line, len);
	struct token t;

	for (size_t i = 0; i < TOKENS_MAX; i++)
		tokens.at[i] = (struct token){ .text = "", .len = 0 };
	while ((t.text = rd_token(&r, &t.len))) {
		if (tokens.n == 0)
			tokens.rest = trimmed(t.text + t.len, line + len);
		if (tokens.n < TOKENS_MAX)
			tokens.at[tokens.n] = t;
		tokens.n++;
	}
	return tokens;
}

bool token_is(struct token t, const char *name)
{
	return strlen(name) == t.len && strncasecmp(t.text, name, t.len) == 0;
}

void token_copy(struct token t, char *out, size_t size)
{
	size_t len = t.len < size ? t.len : size - 1;

	memcpy(out, t.text, len);
	out[len] = '\0';
}
