#include "popd/core/roam.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "lib/bucket.h"
#include "lib/pages.h"
#include "lib/siphash.h"

enum { SECOND_US = BUCKET_SECOND, PLACES = 1 << 14, ANSWERS = 4 };

/* Microseconds for each ask. */
enum {
	PLACE_INTERVAL = SECOND_US,
	TUNNEL_INTERVAL = SECOND_US / 4,
	POP_INTERVAL = SECOND_US / 1000
};

/* When an endpoint was left, or answered. */
struct past {
	uint64_t endpoint; /* 0: none */
	int64_t at_us;
};

struct slot {
	uint32_t id; /* of the tunnel whose state it is; 0: none */
	uint8_t type;
	uint8_t next_left;
	int64_t since_us; /* since it has the present endpoint; 0: since popd's start */
	uint64_t trusted;
	struct past left[ROAM_CHANGES]; /* a ring */
	struct past answers[ANSWERS];   /* the last of each address, the newest first */
	struct roam_clients clients;
	int64_t clients_us; /* of the last time that they were told */
};

/* The buckets of one budget. Those of addresses are hashed into fixed memory. */
struct budget {
	_Atomic int64_t pop;
	_Atomic int64_t places[PLACES];
	_Atomic int64_t *tunnels; /* by slot; mapped, touched when used */
};

struct roam {
	struct timestamp start;
	uint8_t key[16];
	size_t slot_count;
	struct slot *slots; /* mapped, touched when used */
	struct budget budgets[ROAM_BUDGET__COUNT];
};

struct roam *roam_create(size_t slots, struct timestamp start, const uint8_t key[static 16])
{
	struct roam *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->start = start;
	memcpy(r->key, key, sizeof(r->key));
	r->slot_count = slots;
	bool made = (r->slots = pages_alloc(slots, sizeof(*r->slots))) != NULL;
	for (size_t b = 0; b < ROAM_BUDGET__COUNT; b++) {
		struct budget *budget = &r->budgets[b];
		budget->tunnels = pages_alloc(slots, sizeof(*budget->tunnels));
		made = made && budget->tunnels;
	}
	if (made)
		return r;
	roam_free(r);
	return NULL;
}

void roam_free(struct roam *r)
{
	if (!r)
		return;
	for (size_t b = 0; b < ROAM_BUDGET__COUNT; b++) {
		struct budget *budget = &r->budgets[b];
		pages_free(budget->tunnels, r->slot_count, sizeof(*budget->tunnels));
	}
	pages_free(r->slots, r->slot_count, sizeof(*r->slots));
	free(r);
}

/* ---- asking ---- */

bool roam_may_ask(const struct pop_conf *pop, uint64_t endpoint)
{
	struct ip4 address = endpoint_of(endpoint).addr;

	return !ip4_is_martian(address) && !pop_is_peer(pop, address);
}

/* Protocol 41 has no ports: an address may have several tunnels, each of which is asked. */
static size_t place_of(const struct roam *r, const struct tunnel *t, uint64_t endpoint)
{
	bool has_port = endpoint_of(endpoint).port != 0;
	const uint64_t place[] = { endpoint >> 16, has_port ? 0 : t->slot + UINT64_C(1) };

	return siphash(r->key, place, ARRAY_LEN(place)) % PLACES;
}

/* The address first: most packets that ask for something come from one that was just asked. */
bool roam_take_ask(struct roam *r, const struct tunnel *t, uint64_t endpoint, enum roam_budget b,
		   int64_t mono_us)
{
	struct budget *budget = &r->budgets[b];
	_Atomic int64_t *place = &budget->places[place_of(r, t, endpoint)],
			*tunnel = &budget->tunnels[t->slot];

	if (!bucket_take(place, PLACE_INTERVAL, mono_us))
		return false;
	if (!bucket_take(tunnel, TUNNEL_INTERVAL, mono_us))
		goto no_tunnel;
	if (bucket_take(&budget->pop, POP_INTERVAL, mono_us))
		return true;
	bucket_return(tunnel, TUNNEL_INTERVAL);
no_tunnel:
	bucket_return(place, PLACE_INTERVAL);
	return false;
}

bool roam_is_after_start(const struct roam *r, uint32_t epoch, int64_t mono_us)
{
	return r->start.wall == 0 || epoch > r->start.wall ||
	       mono_us - r->start.mono_us >= (int64_t)ROAM_START * SECOND_US;
}

/* ---- a slot's state ---- */

static bool is_same_place(uint64_t a, uint64_t b)
{
	return (a ^ b) >> 16 == 0;
}

static struct slot *slot_of(struct roam *r, const struct tunnel *t, const struct tunnel_conf *c)
{
	struct slot *s = &r->slots[t->slot];

	if (s->id != c->id || s->type != c->type)
		*s = (struct slot){ .id = c->id, .type = c->type };
	return s;
}

uint64_t roam_trusted(struct roam *r, const struct tunnel *t, const struct tunnel_conf *c)
{
	return slot_of(r, t, c)->trusted;
}

/* An endpoint that came from a snapshot counts from popd's start. */
static bool is_trusted(const struct roam *r, const struct slot *s, uint64_t endpoint,
		       int64_t now_us)
{
	int64_t since = s->since_us ? s->since_us : r->start.mono_us;

	return endpoint_flags(endpoint) & ENDPOINT_ANSWERED ||
	       now_us - since >= (int64_t)ROAM_TRUSTED * SECOND_US;
}

/* All of the ring was left within a minute, and `fresh` is in it: the tunnel goes to and fro. A
 * client that is restarted again and again comes from new ports and never back. */
static bool goes_to_and_fro(const struct slot *s, uint64_t fresh, int64_t now_us)
{
	bool is_back = false;

	for (size_t i = 0; i < ROAM_CHANGES; i++) {
		const struct past *l = &s->left[i];
		if (l->endpoint == 0 || now_us - l->at_us >= (int64_t)ROAM_MINUTE * SECOND_US)
			return false;
		is_back |= is_same_place(l->endpoint, fresh);
	}
	return is_back;
}

static bool note_two_clients(struct slot *s, uint64_t old, uint64_t fresh, struct timestamp now)
{
	bool told = s->clients.at != 0 &&
		    now.mono_us - s->clients_us < (int64_t)ROAM_MINUTE * SECOND_US;

	s->clients = (struct roam_clients){ { old, fresh }, now.wall };
	if (!told)
		s->clients_us = now.mono_us;
	return !told;
}

bool roam_note_change(struct roam *r, const struct tunnel *t, const struct tunnel_conf *c,
		      uint64_t old, uint64_t fresh, struct timestamp now)
{
	struct slot *s = slot_of(r, t, c);

	if (old != 0) {
		if (is_trusted(r, s, old, now.mono_us))
			s->trusted = old;
		s->left[s->next_left] = (struct past){ old, now.mono_us };
		s->next_left = (uint8_t)((s->next_left + 1) % ROAM_CHANGES);
	}
	s->since_us = now.mono_us;
	return goes_to_and_fro(s, fresh, now.mono_us) && note_two_clients(s, old, fresh, now);
}

bool roam_has_stayed(struct roam *r, const struct tunnel *t, const struct tunnel_conf *c,
		     int64_t since_us)
{
	return slot_of(r, t, c)->since_us <= since_us;
}

void roam_note_answer(struct roam *r, const struct tunnel *t, const struct tunnel_conf *c,
		      uint64_t endpoint, int64_t mono_us)
{
	struct past *answers = slot_of(r, t, c)->answers;
	size_t at = 0;

	while (at < ANSWERS - 1 && !is_same_place(answers[at].endpoint, endpoint))
		at++;
	memmove(answers + 1, answers, at * sizeof(answers[0]));
	answers[0] = (struct past){ endpoint, mono_us };
}

bool roam_has_answered(struct roam *r, struct tunnel *t, const struct tunnel_conf *c,
		       uint64_t endpoint, int64_t since_us)
{
	tunnel_lock(t);
	const struct slot *s = slot_of(r, t, c);
	bool has = false;
	for (size_t i = 0; i < ANSWERS; i++)
		has |= is_same_place(s->answers[i].endpoint, endpoint) &&
		       s->answers[i].at_us >= since_us;
	tunnel_unlock(t);
	return has;
}

struct roam_clients roam_clients(struct roam *r, struct tunnel *t, const struct tunnel_conf *c)
{
	tunnel_lock(t);
	struct roam_clients clients = slot_of(r, t, c)->clients;
	tunnel_unlock(t);
	return clients;
}
