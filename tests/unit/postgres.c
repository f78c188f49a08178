#include "tests/unit/postgres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <ev.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/io/pgpool.h"

enum { MAX_CONNECTIONS = 20 };

static char folder[POSTGRES_FOLDER] = "/tmp/postgres-test-XXXXXX";
static char bin[256];

/* Runs as the user postgres where the test itself is root, since the server refuses root. */
static int run_shell(const char *fmt, va_list ap) FORMAT(1, 0);
static int run_shell(const char *fmt, va_list ap)
{
	char command[2048];

	vsnprintf(command, sizeof(command), fmt, ap);
	pid_t pid = fork();
	if (pid == 0) {
		struct passwd *pw = getuid() == 0 ? getpwnam("postgres") : NULL;
		if (getuid() == 0 && (!pw || setgid(pw->pw_gid) != 0 || setuid(pw->pw_uid) != 0))
			_exit(126);
		if (chdir(folder) != 0)
			_exit(126);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	int status = -1;
	waitpid(pid, &status, 0);
	return status;
}

int postgres_shell(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int status = run_shell(fmt, ap);
	va_end(ap);
	return status;
}

static bool start(unsigned max_connections)
{
	return postgres_shell("%s/pg_ctl -D data -s -w -l log -o \"-c listen_addresses='' -k %s "
			      "-c fsync=off -c max_connections=%u "
			      "-c superuser_reserved_connections=0\" start",
			      bin, folder, max_connections) == 0;
}

void postgres_start(unsigned max_connections)
{
	assert_true(start(max_connections ? max_connections : MAX_CONNECTIONS));
}

void postgres_stop(const char *mode)
{
	assert_int_equal(postgres_shell("%s/pg_ctl -D data -s -w -m %s stop", bin, mode), 0);
}

void postgres_signal(const char *name)
{
	postgres_shell("pm=$(head -1 data/postmaster.pid); kill -%s $pm $(cat "
		       "/proc/$pm/task/$pm/children)",
		       name);
}

void postgres_restart_later(double seconds)
{
	postgres_shell(
		"(sleep %.1f; exec %s/pg_ctl -D data -s -w -m immediate -l log restart) >/dev/null "
		"2>&1 &",
		seconds, bin);
}

void postgres_sql(const char *sql)
{
	char path[POSTGRES_FOLDER + 16];

	snprintf(path, sizeof(path), "%s/test.sql", folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(sql, f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(postgres_shell("%s/psql -X -q -v ON_ERROR_STOP=1 -d '%s' -f test.sql", bin,
					postgres_conninfo()),
			 0);
	unlink(path);
}

/* The newest version that is installed. */
static bool find_bin(void)
{
	struct dirent **versions;
	int n = scandir("/usr/lib/postgresql", &versions, NULL, versionsort);

	for (int i = 0; i < n; i++) {
		char path[512];
		snprintf(path, sizeof(path), "/usr/lib/postgresql/%s/bin/initdb",
			 versions[i]->d_name);
		if (access(path, X_OK) == 0)
			snprintf(bin, sizeof(bin), "/usr/lib/postgresql/%.100s/bin",
				 versions[i]->d_name);
		free(versions[i]);
	}
	if (n >= 0)
		free(versions);
	return bin[0] != '\0';
}

int postgres_create(void **state)
{
	(void)state;
	if (!find_bin()) {
		print_error("no PostgreSQL server is installed here: nothing to test against\n");
		return -1;
	}
	if (!mkdtemp(folder))
		return -1;
	struct passwd *pw = getuid() == 0 ? getpwnam("postgres") : NULL;
	if (pw && chown(folder, pw->pw_uid, pw->pw_gid) != 0)
		return -1;
	if (postgres_shell("%s/initdb -D data -U owner -A trust -N --no-locale -E UTF8 "
			   ">init.log 2>&1",
			   bin) != 0)
		return -1;
	return start(MAX_CONNECTIONS) ? 0 : -1;
}

int postgres_remove(void **state)
{
	(void)state;
	postgres_shell("%s/pg_ctl -D data -s -w -m immediate stop", bin);
	postgres_shell("rm -rf data init.log log");
	return rmdir(folder);
}

const char *postgres_conninfo(void)
{
	static char conninfo[128];

	snprintf(conninfo, sizeof(conninfo), "host=%s dbname=postgres user=owner", folder);
	return conninfo;
}

const char *postgres_folder(void)
{
	return folder;
}

struct pgpool_conf postgres_pool_conf(void)
{
	return (struct pgpool_conf){ .conninfo = postgres_conninfo(),
				     .application = "test",
				     .connections = 4,
				     .queue_max = 1000,
				     .connect_timeout = 1.,
				     .query_timeout = 2. };
}

struct pgpool *postgres_pool_create(struct ev_loop *loop)
{
	struct pgpool_conf conf = postgres_pool_conf();
	struct pgpool *pool = pgpool_create(loop, &conf);

	assert_non_null(pool);
	return pool;
}

static void time_is_up(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	*(bool *)w->data = true;
}

bool postgres_wait(struct ev_loop *loop, bool (*is_done)(void *ctx), void *ctx, double seconds)
{
	const char *slow = getenv("BROKER_SLOW");
	bool is_over = false;
	ev_timer limit;

	ev_now_update(loop);
	ev_timer_init(&limit, time_is_up, seconds * (slow ? atof(slow) : 1.), 0.);
	limit.data = &is_over;
	ev_timer_start(loop, &limit);
	ev_run(loop, EVRUN_NOWAIT);
	while (!is_done(ctx) && !is_over)
		ev_run(loop, EVRUN_ONCE);
	ev_timer_stop(loop, &limit);
	return is_done(ctx);
}
