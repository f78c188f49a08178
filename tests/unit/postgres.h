/*
 * A PostgreSQL server of the test's own: a cluster in a temporary folder, reached by a unix socket
 * only. And the event loop that a test runs while it waits for it.
 */
#ifndef TESTS_UNIT_POSTGRES_H
#define TESTS_UNIT_POSTGRES_H

#include <stdbool.h>

#include "lib/cc.h"

struct ev_loop;
struct pgpool;
struct pgpool_conf;

enum { POSTGRES_FOLDER = 64 };

/* Setup and teardown of a group of tests. A failure is printed. */
int postgres_create(void **state);
int postgres_remove(void **state);

/* "host=... dbname=... user=...", for its superuser. */
const char *postgres_conninfo(void);
const char *postgres_folder(void);

/* For a pool of four connections to the server, with timeouts of a second or two. */
struct pgpool_conf postgres_pool_conf(void);
/* A pool of that configuration; fails the test when there is none. The caller frees it. */
struct pgpool *postgres_pool_create(struct ev_loop *loop) NONNULL;

/* Fail the test when the server does not obey. `mode` is pg_ctl's: smart, fast, immediate. */
void postgres_start(unsigned max_connections);
void postgres_stop(const char *mode) NONNULL;
/* A signal to every process of the server. */
void postgres_signal(const char *name) NONNULL;
/* Stops it at once and starts it again, in the background and after a pause. */
void postgres_restart_later(double seconds);

/* Runs SQL statements; fails the test when one of them fails. */
void postgres_sql(const char *sql) NONNULL;

/* Runs a shell command as the cluster's owner, in its folder; its exit status. */
int postgres_shell(const char *fmt, ...) FORMAT(1, 2);

/* Runs the loop, once at least, until `is_done` or for so long, on a slow machine longer (BROKER_SLOW
 * times). True: it is done. */
bool postgres_wait(struct ev_loop *loop, bool (*is_done)(void *ctx), void *ctx, double seconds)
	NONNULL_ARGS(1, 2);

#endif
