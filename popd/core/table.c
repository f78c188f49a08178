/*
 * The control thread's functions of the table. A tunnel has one slot for life. It changes in three
 * steps: the words of prefixes that it gains are added to the hash (readers skip them, since the
 * configuration that they see does not have them yet), the new configuration is published, and the
 * words of prefixes that it loses are removed. So a reader always finds the tunnel by a prefix that
 * both configurations have, and by any other prefix together with the configuration that has it.
 */
#include "popd/core/table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/pages.h"
#include "popd/core/table_inside.h"

static const uint8_t net_len = 64;
enum { IDS_MIN = 1024 };

static void conf_release(void *owner, void *what)
{
	(void)owner;
	tunnel_conf_free(what);
}

/* Only the table frees a published configuration, so only it may take the const away. */
static void *conf_published(const struct tunnel_conf *c)
{
	return (void *)(uintptr_t)c;
}

/* Only the table frees it, so only the table may take the const away. */
static struct pop_conf *pop_published(const struct pop_conf *pop)
{
	return (struct pop_conf *)(uintptr_t)pop;
}

static struct prefix6 prefix_at(const struct tunnel_conf *c, uint32_t place)
{
	return place == 0 ? (struct prefix6){ c->net, net_len } : c->routes[place - 1];
}

static struct prefix6 prefix_of(const void *arg, uint32_t slot, uint32_t place)
{
	const struct table *t = arg;

	return prefix_at(tunnel_conf_now(&t->tunnels[slot]), place);
}

/* ---- creation ---- */

static void free_tunnels(struct table *t)
{
	if (!t->borrows_tunnels)
		pages_free(t->tunnels, t->capacity, sizeof(*t->tunnels));
}

struct table *table_create(size_t capacity, unsigned workers, const uint8_t seed[static 16])
{
	return table_create_in(NULL, capacity, workers, seed);
}

struct table *table_create_in(struct tunnel *tunnels, size_t capacity, unsigned workers,
			      const uint8_t seed[static 16])
{
	struct table *t = pages_alloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->capacity = capacity < PREFIXES_SLOTS_MAX ? capacity : PREFIXES_SLOTS_MAX;
	t->ids_size = IDS_MIN;
	t->borrows_tunnels = tunnels != NULL;
	t->tunnels = tunnels ? tunnels : pages_alloc(t->capacity, sizeof(*t->tunnels));
	t->free_slots = pages_alloc(t->capacity, sizeof(*t->free_slots));
	t->ids = pages_alloc(t->ids_size, sizeof(*t->ids));
	atomic_init(&t->pop, &t->no_pop);
	if (!t->tunnels || !t->free_slots || !t->ids || grace_init(&t->grace, workers) != 0)
		goto no_grace;
	if (prefixes_init(&t->prefixes, &t->grace, seed, prefix_of, t) != 0)
		goto no_prefixes;
	return t;
no_prefixes:
	grace_free(&t->grace);
no_grace:
	free_tunnels(t);
	pages_free(t->free_slots, t->capacity, sizeof(*t->free_slots));
	pages_free(t->ids, t->ids_size, sizeof(*t->ids));
	pages_free(t, 1, sizeof(*t));
	return NULL;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	struct pop_conf *pop = pop_published(atomic_load(&t->pop));
	t->on_free = NULL;
	grace_free(&t->grace);
	if (pop != &t->no_pop)
		free(pop);
	for (size_t i = 0; i < t->high; i++)
		tunnel_conf_free(conf_published(tunnel_conf_now(&t->tunnels[i])));
	prefixes_free(&t->prefixes);
	free_tunnels(t);
	pages_free(t->free_slots, t->capacity, sizeof(*t->free_slots));
	pages_free(t->ids, t->ids_size, sizeof(*t->ids));
	pages_free(t, 1, sizeof(*t));
}

/* ---- ids ---- */

static size_t id_start(const struct table *t, uint32_t id)
{
	return (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 32) & (t->ids_size - 1);
}

/* The place of `id` in the hash, or the empty one where it belongs. At least half of them are
 * empty. */
static size_t id_place(const struct table *t, uint32_t id)
{
	size_t i = id_start(t, id);

	while (t->ids[i] != 0 && tunnel_conf_now(&t->tunnels[t->ids[i] - 1])->id != id)
		i = (i + 1) & (t->ids_size - 1);
	return i;
}

/* Grows the hash, if need be, for one more id. */
static int ids_reserve(struct table *t)
{
	size_t old_size = t->ids_size;
	uint32_t *old = t->ids;

	if (t->count + 1 <= old_size / 2)
		return 0;
	uint32_t *ids = pages_alloc(old_size * 2, sizeof(*ids));
	if (!ids)
		return -ERR_NOMEM;
	t->ids = ids;
	t->ids_size = old_size * 2;
	for (size_t i = 0; i < old_size; i++)
		if (old[i] != 0)
			ids[id_place(t, tunnel_conf_now(&t->tunnels[old[i] - 1])->id)] = old[i];
	pages_free(old, old_size, sizeof(*old));
	return 0;
}

/* Empties a place and moves later ids into the gap, so that the hash needs no tombstones. */
static void id_remove(struct table *t, size_t hole)
{
	size_t mask = t->ids_size - 1;

	for (size_t i = (hole + 1) & mask; t->ids[i] != 0; i = (i + 1) & mask) {
		size_t start = id_start(t, tunnel_conf_now(&t->tunnels[t->ids[i] - 1])->id);
		if (((i - start) & mask) >= ((i - hole) & mask)) {
			t->ids[hole] = t->ids[i];
			hole = i;
		}
	}
	t->ids[hole] = 0;
}

struct tunnel *table_by_id(struct table *t, uint32_t id)
{
	uint32_t slot = t->ids[id_place(t, id)];

	return slot ? &t->tunnels[slot - 1] : NULL;
}

/* ---- slots ---- */

static void slot_release(void *owner, void *what)
{
	struct table *t = owner;
	struct tunnel *tunnel = what;

	tunnel_forget(tunnel);
	t->free_slots[t->free_count++] = tunnel->slot;
	if (t->on_free)
		t->on_free(t->on_free_arg, tunnel->slot);
}

/* The slot that slot_take will take for a new tunnel. NULL: all are in use. */
static struct tunnel *slot_next(struct table *t)
{
	if (t->free_count == 0 && t->high == t->capacity) {
		(void)grace_wait_shortly(&t->grace);
		grace_reclaim(&t->grace);
	}
	if (t->free_count > 0)
		return &t->tunnels[t->free_slots[t->free_count - 1]];
	if (t->high == t->capacity)
		return NULL;
	t->tunnels[t->high].slot = (uint32_t)t->high;
	return &t->tunnels[t->high];
}

static void slot_take(struct table *t, const struct tunnel *tunnel)
{
	if (t->free_count > 0 && t->free_slots[t->free_count - 1] == tunnel->slot)
		t->free_count--;
	else
		t->high++;
	t->count++;
}

/* ---- configurations ---- */

static int compare_routes(const void *a, const void *b)
{
	const struct prefix6 *x = a, *y = b;

	return conf_compare(x, prefix_bits_of(&y->addr), y->len);
}

static void canonicalise(struct tunnel_conf *c)
{
	c->net = ip6_mask(&c->net, net_len);
	c->mtu = c->mtu < TUNNEL_MTU_MIN   ? TUNNEL_MTU_MIN
		 : c->mtu > TUNNEL_MTU_MAX ? TUNNEL_MTU_MAX
					   : c->mtu;
	for (size_t i = 0; i < c->route_count; i++) {
		if (c->routes[i].len > 128)
			c->routes[i].len = 128;
		c->routes[i].addr = ip6_mask(&c->routes[i].addr, c->routes[i].len);
	}
	if (c->route_count > 0)
		qsort(c->routes, c->route_count, sizeof(c->routes[0]), compare_routes);
}

/* True when `c` has no prefix twice, and none that belongs to a tunnel other than `self`. */
static bool has_own_prefixes(const struct table *t, const struct tunnel_conf *c,
			     const struct tunnel *self)
{
	for (uint32_t i = 0; i <= c->route_count; i++) {
		struct prefix6 p = prefix_at(c, i);
		if (conf_place(c, prefix_bits_of(&p.addr), p.len) != (int)i)
			return false;
		const struct tunnel *holder = lookup_exact(t, &p);
		if (holder && holder != self)
			return false;
	}
	return true;
}

static void notify_prefix(struct table *t, const struct prefix_place *p, uint32_t id,
			  enum table_prefix_change change)
{
	struct table_prefix changed = { p->prefix, p->slot, id, p->place == 0 };

	if (t->on_prefix)
		t->on_prefix(t->on_prefix_arg, &changed, change);
}

void table_on_prefix(struct table *t,
		     void (*fn)(void *arg, const struct table_prefix *p,
				enum table_prefix_change change),
		     void *arg)
{
	t->on_prefix = fn;
	t->on_prefix_arg = arg;
	for (uint32_t slot = 0; fn && slot < t->high; slot++) {
		const struct tunnel_conf *c = tunnel_conf_now(&t->tunnels[slot]);
		for (uint32_t i = 0; c && i <= c->route_count; i++) {
			struct prefix_place p = { prefix_at(c, i), slot, i };
			notify_prefix(t, &p, c->id, PREFIX_ADDED);
		}
	}
}

/* Removes the words of prefixes that `c` has and `other` does not have from the hash, among the
 * first `n` places of `c`. */
static void words_remove(struct table *t, uint32_t slot, const struct tunnel_conf *c,
			 const struct tunnel_conf *other, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct prefix_place p = { prefix_at(c, i), slot, i };
		if (other && conf_place(other, prefix_bits_of(&p.prefix.addr), p.prefix.len) >= 0)
			continue;
		prefixes_remove(&t->prefixes, &p);
		notify_prefix(t, &p, c->id, PREFIX_REMOVED);
	}
}

static int words_add(struct table *t, uint32_t slot, const struct tunnel_conf *c,
		     const struct tunnel_conf *old)
{
	if (prefixes_reserve(&t->prefixes, c->route_count + 1u) != 0)
		return -ERR_NOMEM;
	for (uint32_t i = 0; i <= c->route_count; i++) {
		struct prefix_place p = { prefix_at(c, i), slot, i };
		if (old && conf_place(old, prefix_bits_of(&p.prefix.addr), p.prefix.len) >= 0)
			continue;
		if (prefixes_add(&t->prefixes, &p) != 0) {
			words_remove(t, slot, c, old, i);
			return -ERR_NOMEM;
		}
		notify_prefix(t, &p, c->id, PREFIX_ADDED);
	}
	return 0;
}

/* Corrects the words of prefixes that both have, at different places. Readers search the routes for
 * a prefix whose word is not corrected yet. */
static void words_move(struct table *t, uint32_t slot, const struct tunnel_conf *c,
		       const struct tunnel_conf *old)
{
	for (uint32_t i = 0; i <= old->route_count; i++) {
		struct prefix_place p = { prefix_at(old, i), slot, i };
		int place = conf_place(c, prefix_bits_of(&p.prefix.addr), p.prefix.len);
		if (place < 0 || (uint32_t)place == i)
			continue;
		prefixes_move(&t->prefixes, &p, (uint32_t)place);
		if ((place == 0) == (i == 0))
			continue;
		p.place = (uint32_t)place;
		notify_prefix(t, &p, c->id, PREFIX_CHANGED);
	}
}

/* The endpoint word of a static tunnel; 0: it is of another type, or ends at a PoP. */
static uint64_t fixed_endpoint(const struct table *t, const struct tunnel_conf *c)
{
	if (c->type != TUNNEL_STATIC || pop_is_peer(table_pop(t), c->static_endpoint))
		return 0;
	return endpoint_pack((struct endpoint4){ c->static_endpoint, 0 }, 0);
}

int table_set(struct table *t, struct tunnel_conf *c)
{
	struct tunnel *tunnel = table_by_id(t, c->id);
	const struct tunnel_conf *old = tunnel ? tunnel_conf_now(tunnel) : NULL;

	canonicalise(c);
	int err = has_own_prefixes(t, c, tunnel) ? 0 : -ERR_EXISTS;
	if (!err && !tunnel && (ids_reserve(t) != 0 || !(tunnel = slot_next(t))))
		err = -ERR_NOMEM;
	if (!err)
		err = words_add(t, tunnel->slot, c, old);
	if (err)
		return err;
	if (!old)
		slot_take(t, tunnel);
	size_t id_at = id_place(t, c->id);
	tunnel_publish(tunnel, c, old, fixed_endpoint(t, c));
	t->ids[id_at] = tunnel->slot + 1;
	t->conf_size += tunnel_conf_size(c);
	if (old) {
		words_move(t, tunnel->slot, c, old);
		words_remove(t, tunnel->slot, old, c, old->route_count + 1u);
		t->conf_size -= tunnel_conf_size(old);
		grace_retire(&t->grace, conf_release, NULL, conf_published(old));
	}
	return 0;
}

bool table_delete(struct table *t, uint32_t id)
{
	size_t id_at = id_place(t, id);

	if (t->ids[id_at] == 0)
		return false;
	struct tunnel *tunnel = &t->tunnels[t->ids[id_at] - 1];
	const struct tunnel_conf *old = tunnel_conf_now(tunnel);
	id_remove(t, id_at);
	words_remove(t, tunnel->slot, old, NULL, old->route_count + 1u);
	atomic_store(&tunnel->plain, 0);
	atomic_store(&tunnel->conf, NULL);
	t->count--;
	t->conf_size -= tunnel_conf_size(old);
	grace_retire(&t->grace, conf_release, NULL, conf_published(old));
	grace_retire(&t->grace, slot_release, t, tunnel);
	return true;
}

bool table_restore(struct table *t, uint32_t id, const struct tunnel_memory *m)
{
	struct tunnel *tunnel = table_by_id(t, id);

	if (!tunnel)
		return false;
	if (pop_is_peer(table_pop(t), endpoint_of(m->endpoint).addr))
		return true;
	tunnel_restore(tunnel, tunnel_conf_now(tunnel), m);
	return true;
}

/* Endpoints that are a PoP's, or were when their tunnel was set. */
static void correct_endpoint(const struct table *t, struct tunnel *tunnel)
{
	const struct tunnel_conf *c = tunnel_conf_now(tunnel);
	uint64_t endpoint = atomic_load_explicit(&tunnel->endpoint, memory_order_relaxed);

	if (c && c->type == TUNNEL_STATIC)
		tunnel_set_endpoint(tunnel, fixed_endpoint(t, c));
	else if (c && pop_is_peer(table_pop(t), endpoint_of(endpoint).addr))
		tunnel_set_endpoint(tunnel, 0);
}

static void correct_endpoints(const struct table *t)
{
	for (size_t i = 0; i < t->high; i++)
		correct_endpoint(t, &t->tunnels[i]);
}

/* A worker that still used the one before may have moved a tunnel to an address that is a PoP's
 * now. */
static void pop_release(void *owner, void *what)
{
	correct_endpoints(owner);
	free(what);
}

static void publish_pop(struct table *t, const struct pop_conf *pop)
{
	struct pop_conf *old = pop_published(atomic_load(&t->pop));

	atomic_store(&t->pop, pop);
	if (old != &t->no_pop)
		grace_retire(&t->grace, pop_release, t, old);
	correct_endpoints(t);
}

int table_set_pop(struct table *t, const struct pop_conf *pop)
{
	struct pop_conf *fresh = malloc(sizeof(*fresh));

	if (!fresh)
		return -ERR_NOMEM;
	*fresh = *pop;
	publish_pop(t, fresh);
	return 0;
}

void table_clear_pop(struct table *t)
{
	publish_pop(t, &t->no_pop);
}

struct gone *table_gone(struct table *t)
{
	return &t->gone;
}

void table_on_free(struct table *t, void (*fn)(void *arg, uint32_t slot), void *arg)
{
	t->on_free = fn;
	t->on_free_arg = arg;
}

void table_reclaim(struct table *t)
{
	grace_reclaim(&t->grace);
}

size_t table_count(const struct table *t)
{
	return t->count;
}

size_t table_slots(const struct table *t)
{
	return t->capacity;
}

size_t table_slots_used(const struct table *t)
{
	return t->high;
}

struct tunnel *table_slot(struct table *t, size_t slot)
{
	return &t->tunnels[slot];
}

size_t table_memory(const struct table *t)
{
	return sizeof(*t) + t->high * sizeof(*t->tunnels) + t->conf_size +
	       t->ids_size * sizeof(*t->ids) + prefixes_memory(&t->prefixes);
}
