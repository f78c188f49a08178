/* /pops/status.json. Texts are cleaned first: jansson refuses what is not UTF-8, and one bad name
 * must not cost the whole answer. */
#include "web/page/page.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"

/* A string, or null for "". NULL: no memory. */
static json_t *json_text(const char *text)
{
	if (!*text)
		return json_null();
	char *clean = utf8_clean(text);
	json_t *json = clean ? json_string(clean) : NULL;
	free(clean);
	return json;
}

static json_t *json_stamp(wall_t t)
{
	char text[CLOCK_TEXT];
	return t.s ? json_string(wall_text(t, text)) : json_null();
}

/* json_pack's "o" takes its value over, also when it fails; a NULL makes the whole NULL. */
static json_t *json_pop(const struct pop_view *pop)
{
	return json_pack("{so so so so so so so ss so so s{sI sI sI} so so}", "name",
			 json_text(pop->name), "city", json_text(pop->city), "country",
			 json_text(pop->country), "isp", json_text(pop->isp_name), "isp_website",
			 json_text(pop->isp_website), "ipv4", json_text(pop->ipv4), "ipv6",
			 json_text(pop->ipv6), "state", pop_state_name(pop->state), "reason",
			 json_text(pop->reason), "since", json_stamp(pop->since), "tunnels",
			 "configured", (json_int_t)pop->configured, "up", (json_int_t)pop->up,
			 "active", (json_int_t)pop->active, "last_report",
			 json_stamp(pop->last_report), "version", json_text(pop->version));
}

static json_t *json_pops(const struct page_now *now)
{
	json_t *pops = json_array();
	for (size_t i = 0; pops && now->view && i < now->view->n; i++) {
		if (json_array_append_new(pops, json_pop(&now->view->pops[i])) != 0) {
			json_decref(pops);
			return NULL;
		}
	}
	return pops;
}

/* While the database answers, the text depends on the view only, so that its ETag stays. */
char *page_status_json(const struct page_now *now, size_t *len)
{
	bool is_old = now->away || page_is_stale(now);
	json_t *root = json_pack("{so ss so sI sb so}", "generated",
				 json_stamp(now->view ? now->view->generated : now->now),
				 "database", now->away || !now->view ? "away" : "up", "away_since",
				 now->away ? json_stamp(now->away_since) : json_null(), "age",
				 (json_int_t)(is_old ? now->age : 0), "stale",
				 page_is_stale(now) || !now->view, "pops", json_pops(now));
	if (root && !now->view &&
	    json_object_set_new(root, "error", json_string("the database has not answered yet")) !=
		    0) {
		json_decref(root);
		root = NULL;
	}
	*len = 0;
	char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	json_decref(root);
	if (!text)
		return NULL;
	*len = strlen(text);
	text[(*len)++] = '\n'; /* in place of the NUL, for terminals */
	return text;
}
