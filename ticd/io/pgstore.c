#include "ticd/io/pgstore.h"

#include <stddef.h>
#include <stdlib.h>

#include "lib/err.h"
#include "lib/io/pgpool.h"
#include "lib/log.h"

static const char *const statements[] = {
	[STORE_LOGIN] = "SELECT * FROM api.tic_login($1, $2::int)",
	[STORE_LOGIN_ACCEPT] =
		"SELECT * FROM api.tic_login_accept($1::int, $2::int, $3, $4::inet, $5::bool, $6)",
	[STORE_TUNNEL_LIST] = "SELECT * FROM api.tic_tunnel_list($1::int, $2::int)",
	[STORE_TUNNEL_SHOW] =
		"SELECT * FROM api.tic_tunnel_show($1::int, $2::int, $3::int, $4::bigint)",
	[STORE_TUNNEL_ENDPOINT] =
		"SELECT * FROM api.tic_tunnel_endpoint($1::int, $2::int, $3::int, $4::inet)",
	[STORE_TUNNEL_STATE] =
		"SELECT * FROM api.tic_tunnel_state($1::int, $2::int, $3::int, $4::bool)",
	[STORE_POP_LIST] = "SELECT * FROM api.tic_pop_list()",
	[STORE_POP_SHOW] = "SELECT * FROM api.tic_pop_show($1)",
	[STORE_ROUTE_LIST] = "SELECT * FROM api.tic_route_list($1::int, $2::int)",
	[STORE_ROUTE_SHOW] = "SELECT * FROM api.tic_route_show($1::int, $2::int, $3::int)",
};
_Static_assert(ARRAY_LEN(statements) == STORE__COUNT, "every question has a statement");

struct pgstore {
	struct store store;
	struct pgpool *pool;
	struct log_limit wrong;
};

static const char *cell(const void *res, size_t row, size_t col)
{
	return pgres_str(res, row, col);
}

/* An answer of another shape than expected is a fault of ours, like a failing statement, which the
 * pool has logged. */
static void check_shape(struct pgstore *s, const struct store_call *call,
			const struct pg_answer *pg, struct store_answer *answer)
{
	const struct store_shape *shape = store_shape(call->question);

	if (answer->err != 0 || pgres_cols(pg->res) >= shape->cols)
		return;
	log_limited(&s->wrong, 10, 10, LOG_LEVEL_ERROR,
		    "api.%s returned %zu columns instead of %zu; run `ticctl migrate`", shape->name,
		    pgres_cols(pg->res), shape->cols);
	*answer = (struct store_answer){ .err = -ERR_FORMAT, .message = "", .cell = cell };
}

static void answer_ready(void *ctx, const struct pg_answer *pg)
{
	struct store_call *call = ctx;
	struct store_answer answer = { .err = pg->err, .message = pg->message, .cell = cell };

	if (pg->err == 0) {
		answer.rows = pgres_rows(pg->res);
		answer.res = pg->res;
	}
	check_shape(container_of(call->store, struct pgstore, store), call, pg, &answer);
	call->active = false;
	call->done(call->ctx, &answer);
}

static void ask(struct store *store, struct store_call *call, const char *const *params)
{
	struct pgstore *s = container_of(store, struct pgstore, store);

	call->store = store;
	call->active = true;
	pgpool_query(s->pool, &call->query, statements[call->question],
		     store_shape(call->question)->params, params, answer_ready, call);
}

static void forget(struct store *store, struct store_call *call)
{
	pgpool_forget(container_of(store, struct pgstore, store)->pool, &call->query);
	call->active = false;
}

struct pgstore *pgstore_create(struct pgpool *pool)
{
	struct pgstore *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->pool = pool;
	s->store = (struct store){ .ask = ask, .forget = forget };
	return s;
}

void pgstore_free(struct pgstore *store)
{
	free(store);
}

struct store *pgstore_store(struct pgstore *store)
{
	return &store->store;
}
