/* Any text as the kernel's list of modules: an owner of protocol 41 is found exactly when a line
 * begins with its name as a whole word. */
#include <stdlib.h>
#include <string.h>

#include "popd/daemon/startup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The plain way: each line's first word. */
static bool has_owner(const char *text)
{
	char word[16];

	while (*text) {
		size_t n = 0;
		while (text[n] && text[n] != ' ' && text[n] != '\n')
			n++;
		if (n > 0 && n < sizeof(word)) {
			memcpy(word, text, n);
			word[n] = '\0';
			if (strcmp(word, "sit") == 0 || strcmp(word, "tunnel4") == 0)
				return true;
		}
		const char *end = strchr(text, '\n');
		if (!end)
			return false;
		text = end + 1;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		abort();
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	char sentence[STARTUP_WHY] = "";
	if (startup_describe_modules(text, sentence) != has_owner(text) ||
	    has_owner(text) != (sentence[0] != '\0'))
		abort();
	free(text);
	return 0;
}
