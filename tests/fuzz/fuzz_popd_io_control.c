/* Any line on the control socket: an answer that is one line of JSON, and never a secret. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "popd/io/control_json.h"

#define SECRET "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void facts(void *ctx, struct control_facts *out)
{
	(void)ctx;
	*out = (struct control_facts){ .database_up = true };
}

static void reload(void *ctx)
{
	(void)ctx;
}

static void require(bool holds)
{
	if (!holds)
		abort();
}

static char name[] = "demo01", tun[] = "sixxs";
static struct settings settings = { .name = name, .tun = tun, .expiry = 360 };

static struct table *table_with_a_tunnel(void)
{
	static const uint8_t seed[16];
	struct digest_ctx *digest = digest_ctx_create();
	struct table *t = table_create(4, 1, seed);
	struct tunnel_conf *c = tunnel_conf_create(1);

	require(digest && t && c);
	c->id = 7;
	c->enabled = true;
	c->net = (struct ip6){ { 0x20, 0x01, 0x0d, 0xb8 } };
	c->routes[0] = (struct prefix6){ { { 0x20, 0x01, 0x0d, 0xb9 } }, 48 };
	require(tunnel_conf_set_secret(c, digest, SECRET, 32) == 0 && table_set(t, c) == 0);
	digest_ctx_free(digest);
	return t;
}

static void ask(const char *line, size_t size)
{
	struct counters *counters = counters_create(4);
	static struct offloads offloads;
	struct control_view view = {
		.settings = &settings,
		.table = table_with_a_tunnel(),
		.counters = &counters,
		.workers = 1,
		.offloads = &offloads,
		.sha1 = "auto",
		.facts = facts,
		.reload = reload,
	};
	char *answer = NULL;

	require(counters != NULL);
	enum control_verdict v = control_json_handle(&view, 1795423260, line, size, &answer);
	require(v == CONTROL_LATER || (v == CONTROL_ANSWERED && answer[0] == '{'));
	require(!answer || (!strchr(answer, '\n') && !strstr(answer, SECRET)));
	free(answer);
	table_free(view.table);
	counters_free(counters);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size + 1);

	log_init("fuzz", LOG_LEVEL_ERROR);
	require(line && digest_init() == 0);
	if (size > 0)
		memcpy(line, data, size);
	line[size] = '\0';
	ask(line, size);
	free(line);
	return 0;
}
