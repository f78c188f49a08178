/* Any line on the control socket: an answer that is one line of JSON, and never a secret. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "popd/observe/control_json.h"

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

static struct top *top_of(void *ctx)
{
	return ctx;
}

static void follow(void *ctx, unsigned client, const struct trace_filter *filter)
{
	(void)ctx;
	if (client != 3 || filter->snap > TAP_SNAP || filter->n > TRACE_TUNNELS ||
	    (filter->n == 0 && !filter->all))
		abort();
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

/* Of a second in which the tunnel had a packet. */
static struct top *busy_top(struct table *t, struct counters *const *counters)
{
	struct top *top = top_create(table_slots(t));

	require(top != NULL);
	top_look(top, t, counters, 1, (mono_t){ 1000 });
	counters_in(*counters, 0, 1, 1280);
	top_look(top, t, counters, 1, (mono_t){ 2000 });
	return top;
}

/* What popd is asked about stands still: a reset, which moves a mark, is all that a command
 * changes. In memory that a leak checker does not search. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static const struct control_view *view(void)
{
	static struct counters *counters;
	static struct offloads offloads;
	static struct control_view v;

	if (v.table)
		return &v;
	if (__lsan_disable)
		__lsan_disable();
	log_init("fuzz", LOG_LEVEL_ERROR);
	require(digest_init() == 0 && (counters = counters_create(4)) != NULL);
	struct errors *errors = errors_create((struct counters *const *)&counters, 1);
	require(errors != NULL);
	v = (struct control_view){ .settings = &settings,
				   .table = table_with_a_tunnel(),
				   .counters = &counters,
				   .workers = 1,
				   .errors = errors,
				   .offloads = &offloads,
				   .sha1 = "auto",
				   .facts = facts,
				   .top = top_of,
				   .follow = follow,
				   .client = 3,
				   .reload = reload };
	v.ctx = busy_top(v.table, &counters);
	if (__lsan_enable)
		__lsan_enable();
	return &v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct control_view *v = view();
	char *line = malloc(size + 1), *answer = NULL;

	require(line != NULL);
	if (size > 0)
		memcpy(line, data, size);
	line[size] = '\0';
	log_set_level(LOG_LEVEL_ERROR);
	enum control_verdict verdict = control_json_handle(v, 1795423260, line, size, &answer);
	bool answered = verdict == CONTROL_ANSWERED || verdict == CONTROL_FOLLOWS;
	require(verdict == CONTROL_LATER || (answered && answer[0] == '{'));
	require(!answer || (!strchr(answer, '\n') && !strstr(answer, SECRET)));
	free(answer);
	free(line);
	return 0;
}
