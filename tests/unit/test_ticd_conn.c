/* A connection without memory: each allocation of its start fails in turn. */
#include "ticd/io/conn.h"

#include <ev.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/allocator.h"
#include "tests/unit/test_ticd_fake.h"

static struct digest_ctx *digest_of_test;
static struct fake fake;
static unsigned closed;

static void conn_closed(struct conn_env *env, const struct ip6 *ip, enum conn_place place)
{
	(void)env, (void)ip, (void)place;
	closed++;
}

/* All that the client gets until the end; the connection must be over. */
static const char *received(int fd)
{
	static char text[4096];
	size_t len = 0;
	ssize_t n;

	while ((n = recv(fd, text + len, sizeof(text) - 1 - len, MSG_DONTWAIT)) > 0)
		len += (size_t)n;
	assert_int_equal(n, 0);
	text[len] = '\0';
	close(fd);
	return text;
}

/* Starts a connection whose n-th allocation fails; false: there is none. *client: its other end. */
static bool start_without(struct conn_env *env, unsigned n, int *client)
{
	const struct peer peer = { .text = "10.9.0.2", .is_ip4 = true };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	*client = fds[1];
	closed = 0;
	allocator_fail(n, ALLOCATOR_FAIL_ONE);
	conn_start(env, fds[0], &peer, NULL);
	return allocator_restore();
}

static void conn_without_memory_is_refused_and_over(void **state)
{
	struct ev_loop *loop = *state;
	struct conn_env env = { .loop = loop,
				.session = &fake.env,
				.login_timeout = 60,
				.idle_timeout = 60,
				.write_timeout = 60,
				.closed = conn_closed };
	int client;

	fake_start(&fake, digest_of_test);
	assert_true(start_without(&env, 1, &client));
	assert_int_equal(closed, 1);
	assert_null(env.first);
	assert_string_equal(
		received(client),
		"400 Too many connections at the moment, please try again in a minute\n");
}

/* Whatever fails, a connection either is over, with one call of `closed`, or is there to be ended. */
static void conn_is_there_or_over_whatever_fails(void **state)
{
	struct ev_loop *loop = *state;
	struct conn_env env = { .loop = loop,
				.session = &fake.env,
				.login_timeout = 60,
				.idle_timeout = 60,
				.write_timeout = 60,
				.closed = conn_closed };
	unsigned n = 1;
	int client;

	fake_start(&fake, digest_of_test);
	for (bool is_reached = true; is_reached; n++) {
		const char *text;

		is_reached = start_without(&env, n, &client);
		assert_int_equal(closed, env.first ? 0 : 1);
		conn_free_all(&env);
		text = received(client);
		/* a greeting, a refusal or nothing, but never half a line */
		assert_true(text[0] == '\0' || text[strlen(text) - 1] == '\n');
		if (!is_reached)
			assert_memory_equal(text, "200 TIC Service", 15);
	}
	assert_true(n > 3); /* at least the connection and its output */
}

static int open_loop(void **state)
{
	ev_set_allocator(allocator_spare);
	*state = ev_loop_new(EVFLAG_AUTO);
	return *state ? 0 : -1;
}

static int close_loop(void **state)
{
	ev_loop_destroy(*state);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(conn_without_memory_is_refused_and_over, open_loop,
						close_loop),
		cmocka_unit_test_setup_teardown(conn_is_there_or_over_whatever_fails, open_loop,
						close_loop),
	};
	int status;

	log_init("test", LOG_LEVEL_ERROR);
	if (digest_init() != 0 || !(digest_of_test = digest_ctx_create()))
		return 1;
	status = cmocka_run_group_tests(tests, NULL, NULL);
	digest_ctx_free(digest_of_test);
	return status;
}
