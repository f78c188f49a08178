/*
 * The questions a session asks the database: numbered, with text parameters, each answered later
 * and exactly once by rows of text. io/pgstore.c answers from PostgreSQL, the tests from a file.
 * The order of parameters and columns is that of the functions of the same name in schema/api.
 */
#ifndef TICD_CORE_STORE_H
#define TICD_CORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/pgquery.h"

enum store_question {
	STORE_LOGIN, /* handle, tunnel -> LOGIN_* ; no row: no such login */
	/* account, tunnel, method, address, tls, client -> ACCEPT_* */
	STORE_LOGIN_ACCEPT,
	STORE_TUNNEL_LIST, /* account, tunnel -> id, client IPv6, client IPv4 or type, pop */
	/* account, tunnel, id, login -> TUNNEL_* ; no row: not this account's */
	STORE_TUNNEL_SHOW,
	STORE_TUNNEL_ENDPOINT, /* account, tunnel, id, address -> message */
	STORE_TUNNEL_STATE,    /* account, tunnel, id, enabled -> message */
	STORE_POP_LIST,        /* -> name */
	STORE_POP_SHOW,        /* name -> POP_* ; no row: none of that name */
	STORE_ROUTE_LIST,      /* account, tunnel -> id, tunnel id, prefix */
	STORE_ROUTE_SHOW,      /* account, tunnel, id -> ROUTE_* ; no row: not this account's */
	STORE__COUNT
};

enum {
	LOGIN_ACCOUNT,
	LOGIN_HANDLE,
	LOGIN_FULL_NAME,
	LOGIN_MD5,
	LOGIN_SHA256,
	LOGIN_ENABLED,
	LOGIN__COUNT
};
/* the login's number; "": only a tunnel may be shown, and all else is refused with the sentence */
enum { ACCEPT_LOGIN, ACCEPT_REFUSAL, ACCEPT__COUNT };
enum {
	TUNNEL_ID,
	TUNNEL_TYPE,
	TUNNEL_IPV6_ENDPOINT,
	TUNNEL_IPV6_POP,
	TUNNEL_PREFIX_LENGTH,
	TUNNEL_MTU,
	TUNNEL_NAME,
	TUNNEL_POP,
	TUNNEL_IPV4_ENDPOINT,
	TUNNEL_IPV4_POP,
	TUNNEL_USER_STATE,
	TUNNEL_ADMIN_STATE,
	TUNNEL_PASSWORD,
	TUNNEL_HEARTBEAT,
	TUNNEL_POP_STATE,
	TUNNEL__COUNT
};
enum {
	POP_ID,
	POP_CITY,
	POP_COUNTRY,
	POP_IPV4,
	POP_IPV6,
	POP_ISP_SHORT,
	POP_ISP_NAME,
	POP_ISP_WEBSITE,
	POP_ISP_ASN,
	POP_ISP_LIR,
	POP__COUNT
};
enum { ROUTE_ID, ROUTE_TUNNEL, ROUTE_PREFIX, ROUTE_POP, ROUTE_STATE, ROUTE_CREATED, ROUTE__COUNT };

enum { STORE_PARAMS_MAX = 6 };

/* How many parameters a question takes and how many columns its answer has. */
struct store_shape {
	const char *name;
	size_t params, cols;
};
const struct store_shape *store_shape(enum store_question q);

/* Valid during the callback only. */
struct store_answer {
	/* 0; -ERR_REFUSED (`message` is for the user); -ERR_AWAY, -ERR_TIMEOUT, -ERR_BUSY;
	 * -ERR_FORMAT: a fault of ours */
	int err;
	const char *message; /* never NULL */
	size_t rows;         /* 0 unless err is 0 */
	const void *res;     /* for `cell` */
	/* text; "" for SQL NULL, or when there is no such row or column */
	const char *(*cell)(const void *res, size_t row, size_t col);
};
typedef void store_done(void *ctx, const struct store_answer *answer);

/* One question under way. The asker owns it, fills in the first three fields and keeps it until the
 * answer or `forget`. */
struct store_call {
	enum store_question question;
	store_done *done;
	void *ctx;
	struct store *store; /* the store's from here on */
	bool active;         /* under way: from `ask` until just before `done`, or `forget` */
	/* io/pgstore.c's, in the asker's memory so that asking cannot fail */
	struct pgquery query;
};

struct store {
	/* Asks; `params` (NULL entries are SQL NULL) are copied. `done` is called exactly once
	 * and never from inside this call. */
	void (*ask)(struct store *store, struct store_call *call, const char *const *params);
	/* Drops the answer. Nothing under way is fine. */
	void (*forget)(struct store *store, struct store_call *call);
};

static inline const char *store_cell(const struct store_answer *a, size_t row, size_t col)
{
	return a->cell(a->res, row, col);
}

#endif
