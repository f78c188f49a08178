#include "web/page/site.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "web/page/html.h"
#include "web/page/page.h"

enum {
	PAGE_MAX = 16 << 20, /* bytes of one page; some 20,000 PoPs */
	RETRY_AFTER = 5,
};

/* The files of web/static are part of the program. The assembler reads them; their path is from the
 * root, where make runs. */
#define EMBED(symbol, path)                                                               \
	__asm__(".pushsection .rodata\n" #symbol "_data:\n.incbin \"" path "\"\n" #symbol \
		"_end:\n.byte 0\n.popsection\n");                                         \
	extern const uint8_t symbol##_data[] __attribute__((visibility("hidden")));       \
	extern const uint8_t symbol##_end[] __attribute__((visibility("hidden")))

EMBED(asset_style, "web/static/style.css");
EMBED(asset_favicon, "web/static/favicon.svg");

static const struct asset {
	const char *name;
	const char *type; /* Content-Type */
	const uint8_t *data, *end;
} assets[] = {
	{ "style.css", "text/css; charset=utf-8", asset_style_data, asset_style_end },
	{ "favicon.svg", "image/svg+xml", asset_favicon_data, asset_favicon_end },
};

static const char type_html[] = "text/html; charset=utf-8";
static const char type_json[] = "application/json";
static const char type_text[] = "text/plain; charset=utf-8";

/* Pages change every few seconds: browsers keep them, but check the ETag before they show them. */
static const char cache_page[] = "no-cache";
static const char cache_none[] = "no-store";
static const char cache_asset[] = "public, max-age=3600";

struct request {
	const struct page_now *now;
	const char *name; /* for routes that end in a name, else "" */
};

typedef void handler(const struct request *req, struct answer *out);

/* Needs no memory. */
static void answer_plain(struct answer *out, unsigned status, const char *text)
{
	*out = (struct answer){ .status = status,
				.type = type_text,
				.cache = cache_none,
				.body = text,
				.len = strlen(text) };
}

/* Takes the document over; 500 when it could not be written. */
static void answer_html(struct answer *out, unsigned status, struct html *h)
{
	size_t len;
	char *body = html_take(h, &len);
	if (!body) {
		answer_plain(out, 500, "Internal error\n");
		return;
	}
	*out = (struct answer){ .status = status,
				.type = type_html,
				.cache = cache_page,
				.body = body,
				.len = len,
				.owned = body };
}

static void answer_error(const struct page_now *now, unsigned status, struct answer *out)
{
	struct html h = html_init(PAGE_MAX);
	page_error(&h, now, status);
	answer_html(out, status, &h);
	out->cache = cache_none;
	if (status == 503)
		out->retry_after = RETRY_AFTER;
}

static void get_front(const struct request *req, struct answer *out)
{
	struct html h = html_init(PAGE_MAX);
	page_front(&h, req->now);
	answer_html(out, 200, &h);
}

static void get_status(const struct request *req, struct answer *out)
{
	if (!req->now->view) {
		answer_error(req->now, 503, out);
		return;
	}
	struct html h = html_init(PAGE_MAX);
	page_status(&h, req->now);
	answer_html(out, 200, &h);
}

static void get_status_json(const struct request *req, struct answer *out)
{
	size_t len;
	char *body = page_status_json(req->now, &len);
	if (!body) {
		answer_plain(out, 500, "Internal error\n");
		return;
	}
	*out = (struct answer){ .status = 200,
				.type = type_json,
				.cache = cache_page,
				.body = body,
				.len = len,
				.owned = body };
	if (!req->now->view) {
		out->status = 503;
		out->cache = cache_none;
		out->retry_after = RETRY_AFTER;
	}
}

static void get_pop(const struct request *req, struct answer *out)
{
	const struct pop_view *pop = req->now->view ? status_view_find(req->now->view, req->name)
						    : NULL;
	if (!pop) {
		answer_error(req->now, req->now->view ? 404 : 503, out);
		return;
	}
	struct html h = html_init(PAGE_MAX);
	page_pop(&h, req->now, pop);
	answer_html(out, 200, &h);
}

static void get_pops(const struct request *req, struct answer *out)
{
	(void)req;
	answer_plain(out, 308, "The PoPs are at /pops/status\n");
	out->location = "/pops/status";
}

/* 200 also while the database is away, since restarting webd would not help. */
static void get_health(const struct request *req, struct answer *out)
{
	answer_plain(out, 200,
		     req->now->view && !req->now->away ? "ok\ndatabase up\n"
						       : "ok\ndatabase away\n");
}

static const struct asset *asset_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(assets); i++)
		if (strcmp(assets[i].name, name) == 0)
			return &assets[i];
	return NULL;
}

static void get_asset(const struct request *req, struct answer *out)
{
	const struct asset *asset = asset_find(req->name);
	if (!asset) {
		answer_error(req->now, 404, out);
		return;
	}
	*out = (struct answer){ .status = 200,
				.type = asset->type,
				.cache = cache_asset,
				.body = asset->data,
				.len = (size_t)(asset->end - asset->data) };
}

static void get_favicon(const struct request *req, struct answer *out)
{
	struct request favicon = *req;
	favicon.name = "favicon.svg";
	get_asset(&favicon, out);
}

struct route {
	const char *path;
	unsigned flags;
	const char *allow;
	handler *get;
};
enum {
	ROUTE_NAME = 1,  /* one name follows the path */
	ROUTE_SLASH = 2, /* a final slash makes no difference */
};

static const char allow_read[] = "GET, HEAD";

/* The first route that matches answers, so a PoP called "status" would have no page. */
static const struct route routes[] = {
	{ "/", 0, allow_read, get_front },
	{ "/healthz", 0, allow_read, get_health },
	{ "/pops", ROUTE_SLASH, allow_read, get_pops },
	{ "/pops/status", ROUTE_SLASH, allow_read, get_status },
	{ "/pops/status.json", 0, allow_read, get_status_json },
	{ "/pops/", ROUTE_NAME | ROUTE_SLASH, allow_read, get_pop },
	{ "/static/", ROUTE_NAME, allow_read, get_asset },
	{ "/favicon.ico", 0, allow_read, get_favicon },
};

enum { ROUTE_NAME_TEXT = 64 };

/* Whether the route is for `path`; `name` is set to the name that the path ends in. */
static bool route_matches(const struct route *route, const char *path,
			  char name[static ROUTE_NAME_TEXT])
{
	size_t len = strlen(route->path), name_len = 0;
	name[0] = '\0';
	if (strncmp(path, route->path, len) != 0)
		return false;
	path += len;
	if (route->flags & ROUTE_NAME) {
		name_len = strcspn(path, "/");
		if (name_len == 0 || name_len >= ROUTE_NAME_TEXT)
			return false;
		memcpy(name, path, name_len);
		name[name_len] = '\0';
		path += name_len;
	}
	return *path == '\0' || (route->flags & ROUTE_SLASH && strcmp(path, "/") == 0);
}

static bool is_listed(const char *allow, const char *method)
{
	size_t len = strlen(method);
	for (const char *p = allow; *p; p += strspn(p, ", ")) {
		size_t n = strcspn(p, ", ");
		if (n == len && memcmp(p, method, len) == 0)
			return true;
		p += n;
	}
	return false;
}

void site_answer(const struct page_now *now, struct digest_ctx *digest, const char *method,
		 const char *path, struct answer *out)
{
	char name[ROUTE_NAME_TEXT];
	const struct route *route = NULL;
	for (size_t i = 0; i < ARRAY_LEN(routes) && !route; i++)
		if (route_matches(&routes[i], path, name))
			route = &routes[i];
	if (!route) {
		answer_error(now, 404, out);
	} else if (!is_listed(route->allow, method)) {
		answer_error(now, 405, out);
		out->allow = route->allow;
	} else {
		struct request req = { .now = now, .name = name };
		route->get(&req, out);
	}
	if (out->status == 200 && out->cache != cache_none)
		etag_make(digest, out->body, out->len, out->etag);
}

void answer_condition(struct answer *answer, const char *if_none_match)
{
	if (answer->status == 200 && if_none_match && *answer->etag &&
	    etag_is_named(if_none_match, answer->etag))
		answer->status = 304;
}

void answer_free(struct answer *answer)
{
	free(answer->owned);
	*answer = (struct answer){ 0 };
}

/* Pages load only our own style sheet and icon, no other site can embed them, and no other site
 * learns where a visitor came from. */
static const struct header headers_always[] = {
	{ "Content-Security-Policy",
	  "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action "
	  "'none'; "
	  "frame-ancestors 'none'" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "X-Frame-Options", "DENY" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cross-Origin-Embedder-Policy", "require-corp" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
};

size_t answer_headers(const struct answer *answer, struct header out[static ANSWER_HEADERS],
		      char scratch[static ANSWER_HEADERS_SCRATCH])
{
	size_t n = 0;
	_Static_assert(ARRAY_LEN(headers_always) + 6 <= ANSWER_HEADERS, "all headers fit");
	memcpy(out, headers_always, sizeof(headers_always));
	n += ARRAY_LEN(headers_always);
	out[n++] = (struct header){ "Cache-Control", answer->cache };
	out[n++] = (struct header){ "Content-Type", answer->type };
	if (*answer->etag)
		out[n++] = (struct header){ "ETag", answer->etag };
	if (answer->allow)
		out[n++] = (struct header){ "Allow", answer->allow };
	if (answer->location)
		out[n++] = (struct header){ "Location", answer->location };
	if (answer->retry_after) {
		snprintf(scratch, ANSWER_HEADERS_SCRATCH, "%u", answer->retry_after);
		out[n++] = (struct header){ "Retry-After", scratch };
	}
	return n;
}

int site_style_url(struct digest_ctx *digest, char out[static STYLE_URL_TEXT])
{
	const struct asset *asset = asset_find("style.css");
	char hex[DIGEST_MAX_HEX];
	if (!asset || !digest_hex(digest, DIGEST_SHA256, asset->data,
				  (size_t)(asset->end - asset->data), hex))
		return -ERR_SYS;
	snprintf(out, STYLE_URL_TEXT, "/static/style.css?v=%.12s", hex);
	return 0;
}
