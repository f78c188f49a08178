#include "lib/io/pglisten.h"

#include <stdlib.h>
#include <string.h>

#include "lib/io/pgconn.h"
#include "lib/io/pgres.h"
#include "lib/io/pgserver.h"

/* A server that vanished silently (a firewall dropped the connection, the machine lost power) is
 * noticed after this and a connect timeout. */
static const double ping_interval_s = 15.;

struct pglisten {
	struct pgconn conn;
	struct pglisten_conf conf;
	ev_timer retry;
	unsigned failures;
	char *setup;
};

static void conn_ready(struct pgconn *c)
{
	struct pglisten *l = container_of(c, struct pglisten, conn);

	l->failures = 0;
	l->conf.changed(l->conf.ctx, true, "");
	l->conf.notify(l->conf.ctx, "");
}

/* Nothing is ever sent on this connection. */
static void statement_answered(struct pgconn *c, struct pg_result *res)
{
	struct pgres answer = { res };

	(void)c;
	pgres_clear(&answer);
}

static void conn_lost(struct pgconn *c, enum pgconn_state was, int err, const char *why)
{
	struct pglisten *l = container_of(c, struct pglisten, conn);

	(void)was;
	(void)err;
	l->failures++;
	ev_timer_stop(c->loop, &l->retry);
	ev_timer_set(&l->retry, (double)pgserver_pause_ms(l->failures) / 1000., 0.);
	ev_timer_start(c->loop, &l->retry);
	l->conf.changed(l->conf.ctx, false, why);
}

static void notified(struct pgconn *c, const char *payload)
{
	struct pglisten *l = container_of(c, struct pglisten, conn);

	/* conn_ready is about to say that anything may have changed. */
	if (c->state != PGCONN_SETUP)
		l->conf.notify(l->conf.ctx, payload);
}

static const struct pgconn_events events = { conn_ready, statement_answered, conn_lost, notified };

static void retry_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	pgconn_open(&container_of(w, struct pglisten, retry)->conn);
}

/* LISTEN "channel", with every double quote inside doubled. */
static char *listen_sql(const char *channel)
{
	char *sql = malloc(2 * strlen(channel) + sizeof("LISTEN \"\""));
	if (!sql)
		return NULL;
	char *p = stpcpy(sql, "LISTEN \"");
	for (; *channel; channel++) {
		if (*channel == '"')
			*p++ = '"';
		*p++ = *channel;
	}
	strcpy(p, "\"");
	return sql;
}

struct pglisten *pglisten_create(struct ev_loop *loop, const struct pglisten_conf *conf)
{
	struct pglisten *l = calloc(1, sizeof(*l));
	char *setup = listen_sql(conf->channel);

	if (!l || !setup) {
		free(setup);
		free(l);
		return NULL;
	}
	l->conf = *conf;
	l->setup = setup;
	l->conn.loop = loop;
	l->conn.info = conf->info;
	l->conn.events = &events;
	l->conn.setup = setup;
	l->conn.connect_timeout = conf->connect_timeout;
	l->conn.ping_interval = ping_interval_s;
	pgconn_init(&l->conn);
	ev_timer_init(&l->retry, retry_due, 0., 0.);
	ev_timer_start(loop, &l->retry);
	return l;
}

void pglisten_free(struct pglisten *l)
{
	if (!l)
		return;
	ev_timer_stop(l->conn.loop, &l->retry);
	pgconn_close(&l->conn);
	free(l->setup);
	free(l);
}
