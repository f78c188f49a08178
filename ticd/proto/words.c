#include "ticd/proto/words.h"

#include <string.h>
#include <strings.h>

#include "lib/rd.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct word trimmed(const char *from, const char *end)
{
	while (from < end && is_blank(*from))
		from++;
	while (from < end && is_blank(end[-1]))
		end--;
	return (struct word){ .text = from, .len = (size_t)(end - from) };
}

struct words words_split(const char *line, size_t len)
{
	struct words words = { .n = 0, .rest = { .text = "", .len = 0 } };
	struct rd r = rd_init(line, len);
	struct word w;

	for (size_t i = 0; i < WORDS_MAX; i++)
		words.at[i] = (struct word){ .text = "", .len = 0 };
	while ((w.text = rd_word(&r, &w.len)) != NULL) {
		if (words.n == 0)
			words.rest = trimmed(w.text + w.len, line + len);
		if (words.n < WORDS_MAX)
			words.at[words.n] = w;
		words.n++;
	}
	return words;
}

bool word_is(struct word w, const char *name)
{
	return strlen(name) == w.len && strncasecmp(w.text, name, w.len) == 0;
}

bool word_copy(struct word w, char *out, size_t size)
{
	if (size == 0)
		return false;
	if (w.len >= size) {
		out[0] = '\0';
		return false;
	}
	memcpy(out, w.text, w.len);
	out[w.len] = '\0';
	return true;
}
