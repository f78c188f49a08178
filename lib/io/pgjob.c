#include "lib/io/pgjob.h"

#include <stdlib.h>
#include <string.h>

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
	if (job)
		pgres_clear(&job->res);
	free(job);
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

bool pgjob_forget(struct pgjob_list *list, uint64_t id)
{
	for (struct pgjob *job = list->head; job; job = job->next) {
		if (job->id == id) {
			job->done = NULL;
			return true;
		}
	}
	return false;
}

void pgjob_free_all(struct pgjob_list *list)
{
	for (struct pgjob *job; (job = pgjob_take(list));)
		pgjob_free(job);
}
