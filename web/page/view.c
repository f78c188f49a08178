#include "web/page/view.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"

static const char *const state_names[] = {
	[POP_UP] = "up",
	[POP_DOWN] = "down",
	[POP_DISABLED] = "disabled",
};
_Static_assert(ARRAY_LEN(state_names) == POP__COUNT, "every state has a name");

struct status_view *status_view_create(size_t n, size_t text)
{
	struct status_view *view;
	size_t size;
	if (__builtin_mul_overflow(n, sizeof(struct pop_view), &size) ||
	    __builtin_add_overflow(size, text, &size) ||
	    __builtin_add_overflow(size, sizeof(*view), &size))
		return NULL;
	view = calloc(1, size);
	if (!view)
		return NULL;
	view->n = n;
	view->pops = (struct pop_view *)(void *)(view + 1);
	view->text = (char *)(view->pops + n);
	view->text_end = view->text + text;
	for (size_t i = 0; i < n; i++) {
		struct pop_view *pop = &view->pops[i];
		pop->name = pop->city = pop->country = pop->isp_name = pop->isp_website = "";
		pop->ipv4 = pop->ipv6 = pop->version = "";
	}
	return view;
}

const char *status_view_text(struct status_view *view, const char *text)
{
	size_t size = text ? strlen(text) + 1 : 0;
	if (size <= 1 || size > (size_t)(view->text_end - view->text))
		return "";
	char *copy = memcpy(view->text, text, size);
	view->text += size;
	return copy;
}

const struct pop_view *status_view_find(const struct status_view *view, const char *name)
{
	for (size_t i = 0; i < view->n; i++)
		if (strcmp(view->pops[i].name, name) == 0)
			return &view->pops[i];
	return NULL;
}

const char *pop_state_name(enum pop_state state)
{
	return (unsigned)state < POP__COUNT ? state_names[state] : "unknown";
}

int pop_state_parse(const char *name, enum pop_state *out)
{
	for (unsigned i = 0; i < POP__COUNT; i++) {
		if (strcmp(name, state_names[i]) == 0) {
			*out = (enum pop_state)i;
			return 0;
		}
	}
	return -ERR_UNKNOWN;
}
