/* Any line on the control socket: the answer is one line of JSON, and never contains a secret. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "popd/core/roam.h"
#include "popd/observe/commands.h"
#include "popd/observe/errors.h"
#include "popd/observe/facts.h"
#include "popd/observe/request.h"
#include "popd/observe/top.h"
#include "popd/observe/trace.h"
#include "popd/settings.h"

#define SECRET "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENT = 3 };

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void facts(void *ctx, struct facts *out)
{
	(void)ctx;
	*out = (struct facts){ .pop = "demo01", .version = "1", .tun = "sixxs", .sha1 = "auto" };
}

static void reload(void *ctx)
{
	(void)ctx;
}

/* In place of trace.c. */
void trace_begin(struct trace *t, unsigned watcher, const struct trace_filter *filter)
{
	(void)t;
	require(watcher == CLIENT && filter->snap <= TAP_SNAP && filter->n <= TRACE_TUNNELS &&
		(filter->n > 0 || filter->all));
}

void trace_end(struct trace *t, unsigned watcher)
{
	(void)t;
	require(watcher == CLIENT);
}

static struct settings settings = { .expiry = 360 };

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

/* With a packet of the tunnel in the last second. */
static struct top *busy_top(struct table *t, struct counters *const *counters)
{
	struct top *top = top_create(t, counters, 1);

	require(top && top_sample(top, (mono_t){ mono_now().ms - 1000 }) == 0);
	counters_in(*counters, 0, 1, 1280);
	return top;
}

/* What popd is asked about stands still: a reset, which moves a mark, is all that a command
 * changes. In memory that a leak checker does not search. */
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));

static struct commands *commands(void)
{
	static struct counters *counters;
	static struct commands c;

	if (c.table)
		return &c;
	if (__lsan_disable)
		__lsan_disable();
	log_init("fuzz", LOG_LEVEL_ERROR);
	require(digest_init() == 0 && (counters = counters_create(4)) != NULL);
	struct errors *errors = errors_create((struct counters *const *)&counters, 1);
	static const uint8_t key[16];
	struct roam *roam = roam_create(4, (struct timestamp){ 0, 0, { 0 } }, key);
	require(errors != NULL && roam != NULL);
	c = (struct commands){ .settings = &settings,
			       .table = table_with_a_tunnel(),
			       .counters = &counters,
			       .counter_sets = 1,
			       .errors = errors,
			       .roam = roam,
			       .trace = (struct trace *)&c, /* trace_begin is ours */
			       .facts = facts,
			       .reload = reload };
	c.top = busy_top(c.table, &counters);
	if (__lsan_enable)
		__lsan_enable();
	return &c;
}

static const struct moment now = { 1795423260, { 1795423260 } };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct commands *c = commands();
	char *line = malloc(size + 1), *answer = NULL;

	require(line != NULL);
	if (size > 0)
		memcpy(line, data, size);
	line[size] = '\0';
	log_set_level(LOG_LEVEL_ERROR);
	enum control_verdict verdict = commands_handle(c, CLIENT, now, line, size, &answer);
	bool answered = verdict == CONTROL_ANSWERED || verdict == CONTROL_FOLLOWS;
	require(verdict == CONTROL_LATER || (answered && answer[0] == '{'));
	require(!answer || (!strchr(answer, '\n') && !strstr(answer, SECRET)));
	free(answer);
	free(line);
	return 0;
}
