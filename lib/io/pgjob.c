#include "lib/io/pgjob.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/io/pgpool.h"

enum { MESSAGE_MAX = 1024 };

struct pgjob *pgjob_create(size_t n, const char *const *params)
{
	size_t texts = 0;

	for (size_t i = 0; i < n; i++)
		texts += params[i] ? strlen(params[i]) + 1 : 0;
	struct pgjob *job = calloc(1, sizeof(*job) + n * sizeof(job->params[0]) + texts);
	if (!job)
		return NULL;
	char *text = (char *)&job->params[n];
	job->n = n;
	for (size_t i = 0; i < n; i++) {
		if (!params[i])
			continue;
		job->params[i] = text;
		text = stpcpy(text, params[i]) + 1;
	}
	return job;
}

void pgjob_free(struct pgjob *job)
{
	if (!job)
		return;
	if (job->query)
		job->query->job = NULL;
	pgres_clear(&job->res);
	free(job);
}

/* The query is idle before `done` is called, which may use it again or free it. */
void pgjob_finish(struct pgjob *job)
{
	struct pgquery *query = job->query;
	char message[MESSAGE_MAX];
	struct pg_answer a = { .err = job->err, .sqlstate = "", .message = "" };

	if (job->err == 0) {
		a.res = &job->res;
	} else if (job->res.pg) {
		pgres_message(job->res.pg, message, sizeof(message));
		a.sqlstate = pgres_sqlstate(job->res.pg);
		a.message = message;
	} else {
		a.message = err_text(job->err);
	}
	job->query = NULL;
	if (query) {
		query->job = NULL;
		query->done(query->ctx, &a);
	}
	pgjob_free(job);
}

void pgjob_append(struct pgjob_list *list, struct pgjob *job)
{
	job->next = NULL;
	if (list->tail)
		list->tail->next = job;
	else
		list->head = job;
	list->tail = job;
	list->len++;
}

void pgjob_put_back(struct pgjob_list *list, struct pgjob *job)
{
	job->next = list->head;
	list->head = job;
	if (!list->tail)
		list->tail = job;
	list->len++;
}

struct pgjob *pgjob_take(struct pgjob_list *list)
{
	struct pgjob *job = list->head;

	if (!job)
		return NULL;
	list->head = job->next;
	if (!list->head)
		list->tail = NULL;
	list->len--;
	job->next = NULL;
	return job;
}

void pgrefusals_append(struct pgrefusals *list, struct pgquery *query, const char *why)
{
	query->refusal = why;
	query->next = NULL;
	if (list->tail)
		list->tail->next = query;
	else
		list->head = query;
	list->tail = query;
	list->len++;
}

void pgrefusals_remove(struct pgrefusals *list, struct pgquery *query)
{
	struct pgquery **link = &list->head, *before = NULL;

	while (*link != query) {
		before = *link;
		link = &before->next;
	}
	*link = query->next;
	if (list->tail == query)
		list->tail = before;
	list->len--;
	query->refusal = NULL;
}

void pgrefusals_finish_first(struct pgrefusals *list)
{
	struct pgquery *query = list->head;
	struct pg_answer a = { .err = -ERR_BUSY, .sqlstate = "", .message = query->refusal };

	pgrefusals_remove(list, query);
	query->done(query->ctx, &a);
}
