/*
 * A map is either memory that popd and the program share (tunnels, counters, totals, conf, own,
 * lengths: read and written without system calls) or a hash that only the control thread changes
 * (prefixes, devices). When the kernel refuses a change of the prefixes, they no longer agree with
 * the table: the fast path ends, and popd encapsulates all packets itself.
 */
#include "popd/fastpath/bpf_encap.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if_arp.h>
#include <netpacket/packet.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/pages.h"
#include "popd/core/encap.h"
#include "popd/core/path.h"
#include "popd/fastpath/encap41.h"
#include "popd/fastpath/encap_rules.h"
#include "popd/fastpath/verifier.h"

#define SAME(ours, field, theirs, member)                                                 \
	_Static_assert(offsetof(struct ours, field) == offsetof(struct theirs, member) && \
			       sizeof(((struct ours *)NULL)->field) ==                    \
				       sizeof(((struct theirs *)NULL)->member),           \
		       "popd and the program agree about " #theirs)
SAME(tunnel, endpoint, encap41_tunnel, endpoint);
SAME(tunnel, heard, encap41_tunnel, heard);
SAME(tunnel, path, encap41_tunnel, path);
SAME(tunnel, plain, encap41_tunnel, plain);
SAME(tunnel, held, encap41_tunnel, held);
SAME(tunnel_counters, packets_out, encap41_counters, packets_out);
SAME(tunnel_counters, bytes_out, encap41_counters, bytes_out);
_Static_assert(sizeof(struct tunnel) == sizeof(struct encap41_tunnel), "");
_Static_assert(sizeof(struct tunnel_counters) == sizeof(struct encap41_counters), "");
_Static_assert((int)TUNNEL_PLAIN_STATIC == (int)ENCAP41_PLAIN_STATIC &&
		       (int)TUNNEL_MTU_MIN == (int)ENCAP41_MTU_MIN &&
		       (int)PATH_LIFE == (int)ENCAP41_PATH_LIFE,
	       "");

enum {
	/* capacity of the map: for each tunnel its /64, a routed one, a subnet and a spare; */
	PREFIXES_PER_TUNNEL = 4,
	PREFIXES_MORE = 1 << 16, /* and more for tunnels with more subnets */
	BATCH = 1024,
	DEVICES_PERIOD = 10,     /* seconds between updates of the devices */
	VERIFIER_LOG = 16 << 20, /* of which only what is written takes memory */
	FILTER_HANDLE = 41,
	FILTER_PRIORITY = 41,
};

/* The program's object file. */
__asm__(".pushsection .rodata\n"
	".balign 8\n"
	"encap41_object:\n"
	".incbin \"" ENCAP41_OBJECT "\"\n"
	"encap41_object_end:\n"
	".byte 0\n"
	".popsection\n");
extern const char encap41_object[] __attribute__((visibility("hidden")));
extern const char encap41_object_end[] __attribute__((visibility("hidden")));

struct mapped {
	void *memory; /* MAP_FAILED: not mapped */
	size_t size;
};

struct bpf_encap {
	struct offloads *offloads;
	struct bpf_object *object;
	struct mapped conf, own, lengths, tunnels, counters, totals;
	int prefixes, devices; /* maps */
	size_t processors;
	struct counters *sums;
	uint64_t refused; /* packets counted as dropped so far */
	struct encap_rules_lengths lengths_used;
	struct pop_conf pop;
	struct table *table;
	struct ip4 ipv4;
	int interface; /* that the program is attached to; 0: none */
	unsigned seconds;
	/* while the map is filled: the next batch of prefixes */
	bool filling;
	uint32_t waiting;
	struct encap41_key keys[BATCH];
	struct encap41_place places[BATCH];
};

static struct encap41_conf *conf_of(const struct bpf_encap *e)
{
	return e->conf.memory;
}

/* Messages of libbpf are for debugging. */
static int log_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap) FORMAT(2, 0);
static int log_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char line[400];

	if (level == LIBBPF_DEBUG)
		return 0;
	vsnprintf(line, sizeof(line), fmt, ap);
	line[strcspn(line, "\n")] = '\0';
	log_debug("libbpf: %s", line);
	return 0;
}

/* Ends the fast path for good, for the reason `what` and errno. */
static void disable(struct bpf_encap *e, const char *what)
{
	atomic_store((_Atomic uint32_t *)&conf_of(e)->ipv4, 0);
	if (offload_lost(e->offloads, OFFLOAD_BPF_ENCAP, OFFLOAD_REFUSED))
		log_warn("%s is off until popd restarts: %s", offload_name(OFFLOAD_BPF_ENCAP),
			 what);
}

/* ---- the rules ---- */

/* Writes the set of rules that is not valid and makes it valid. The program may still read the
 * other one; it finishes its packet long before the next change writes that set. */
static void publish_rules(struct bpf_encap *e)
{
	uint32_t next = !encap41_set(conf_of(e)->rules);
	struct encap41_own *own = (struct encap41_own *)e->own.memory + next * ENCAP41_OWN;
	struct encap41_length *lengths = (struct encap41_length *)e->lengths.memory +
					 next * ENCAP41_LENGTHS;
	struct encap_rules r;

	encap_rules_build(&r, &e->lengths_used, &e->pop);
	memcpy(own, r.own, r.own_count * sizeof(r.own[0]));
	memcpy(lengths, r.lengths, r.length_count * sizeof(r.lengths[0]));
	atomic_store((_Atomic uint32_t *)&conf_of(e)->rules,
		     encap41_rules_word(next, r.own_count, r.length_count));
}

void bpf_encap_set_pop(struct bpf_encap *e, const struct pop_conf *pop)
{
	e->pop = *pop;
	publish_rules(e);
}

/* ---- prefixes ---- */

static void send_waiting(struct bpf_encap *e)
{
	uint32_t n = e->waiting;

	e->waiting = 0;
	if (n > 0 && bpf_map_update_batch(e->prefixes, e->keys, e->places, &n, NULL) != 0)
		disable(e, "the kernel refused to store all prefixes");
}

static void add_prefix(struct bpf_encap *e, const struct table_prefix *p)
{
	struct encap41_key key = encap_rules_key(&p->prefix);
	struct encap41_place place = encap_rules_place(p);

	if (e->filling) {
		e->keys[e->waiting] = key;
		e->places[e->waiting] = place;
		if (++e->waiting == BATCH)
			send_waiting(e);
	} else if (bpf_map_update_elem(e->prefixes, &key, &place, BPF_ANY) != 0) {
		disable(e, "the kernel refused to store a prefix");
	}
}

static void remove_prefix(struct bpf_encap *e, const struct table_prefix *p)
{
	struct encap41_key key = encap_rules_key(&p->prefix);

	if (bpf_map_delete_elem(e->prefixes, &key) != 0)
		disable(e, "the kernel refused to delete a prefix");
}

static void prefix_changed(void *arg, const struct table_prefix *p, enum table_prefix_change change)
{
	struct bpf_encap *e = arg;

	if (!offload_is_on(e->offloads, OFFLOAD_BPF_ENCAP))
		return;
	bool lengths_changed = encap_rules_count(&e->lengths_used, p->prefix.len, change);
	if (change == PREFIX_REMOVED)
		remove_prefix(e, p);
	else
		add_prefix(e, p);
	if (lengths_changed && !e->filling)
		publish_rules(e);
}

static void fill_prefixes(struct bpf_encap *e)
{
	e->filling = true;
	table_on_prefix(e->table, prefix_changed, e);
	send_waiting(e);
	e->filling = false;
}

/* ---- devices ---- */

static void delete_devices_before(struct bpf_encap *e, uint8_t round)
{
	uint32_t index = 0, next;
	bool more = bpf_map_get_next_key(e->devices, NULL, &next) == 0;

	while (more) {
		uint8_t seen = 0;
		index = next;
		more = bpf_map_get_next_key(e->devices, &index, &next) == 0;
		if (bpf_map_lookup_elem(e->devices, &index, &seen) == 0 && seen != round)
			(void)bpf_map_delete_elem(e->devices, &index);
	}
}

/* Tells the program the Ethernet devices. Nothing here is an error: popd itself sends by a device
 * that the program does not know (yet). */
static void update_devices(struct bpf_encap *e)
{
	uint8_t round = (uint8_t)(e->seconds / DEVICES_PERIOD);
	struct ifaddrs *all;

	if (getifaddrs(&all) != 0)
		return;
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		const struct sockaddr_ll *link = (const struct sockaddr_ll *)(const void *)
							 i->ifa_addr;
		if (!link || link->sll_family != AF_PACKET || link->sll_hatype != ARPHRD_ETHER)
			continue;
		uint32_t index = (uint32_t)link->sll_ifindex;
		(void)bpf_map_update_elem(e->devices, &index, &round, BPF_ANY);
	}
	freeifaddrs(all);
	delete_devices_before(e, round);
}

/* ---- the program on the interface ---- */

static struct bpf_tc_hook hook_of(int interface)
{
	return (struct bpf_tc_hook){ .sz = sizeof(struct bpf_tc_hook),
				     .ifindex = interface,
				     .attach_point = BPF_TC_EGRESS };
}

static struct bpf_tc_opts filter_of(int program, unsigned flags)
{
	return (struct bpf_tc_opts){
		.sz = sizeof(struct bpf_tc_opts),
		.prog_fd = program,
		.flags = flags,
		.handle = FILTER_HANDLE,
		.priority = FILTER_PRIORITY,
	};
}

static void detach(int interface)
{
	struct bpf_tc_hook hook = hook_of(interface);
	struct bpf_tc_opts filter = filter_of(0, 0);

	(void)bpf_tc_detach(&hook, &filter);
}

/* Replaces a program that an earlier popd has left. 0 or -errno. */
static int attach(struct bpf_encap *e, int interface)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(e->object, "encap41");
	struct bpf_tc_hook hook = hook_of(interface);
	struct bpf_tc_opts filter = filter_of(bpf_program__fd(program), BPF_TC_F_REPLACE);
	int err = bpf_tc_hook_create(&hook);

	return err && err != -EEXIST ? err : bpf_tc_attach(&hook, &filter);
}

bool bpf_encap_is_attached(const struct bpf_encap *e)
{
	struct bpf_tc_hook hook = hook_of(e->interface);
	struct bpf_tc_opts filter = filter_of(0, 0);

	return bpf_tc_query(&hook, &filter) == 0;
}

int bpf_encap_attach(struct bpf_encap *e)
{
	int err = attach(e, e->interface);

	errno = -err;
	return err ? -ERR_SYS : 0;
}

void bpf_encap_clear(const char *tun)
{
	int interface = (int)if_nametoindex(tun);

	libbpf_set_print(log_libbpf);
	if (interface > 0)
		detach(interface);
}

/* ---- creation ---- */

static bool size_map(struct bpf_encap *e, const char *name, size_t entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(e->object, name);

	return map && entries <= UINT32_MAX &&
	       bpf_map__set_max_entries(map, (uint32_t)entries) == 0;
}

static void log_verifier(void *arg, const char *line)
{
	(void)arg;
	log_debug("verifier: %s", line);
}

/* Loads the program. The kernel's verifier says in its log why it refuses one. */
static bool load_verified(struct bpf_encap *e)
{
	struct bpf_program *program = bpf_object__find_program_by_name(e->object, "encap41");
	char *text = pages_alloc(1, VERIFIER_LOG);

	if (text)
		(void)bpf_program__set_log_buf(program, text, VERIFIER_LOG);
	int err = bpf_object__load(e->object);
	const char *why = err && text ? verifier_reason(text, log_verifier, NULL) : NULL;
	if (why)
		log_warnx("the kernel's verifier: %s", why);
	(void)bpf_program__set_log_buf(program, NULL, 0);
	pages_free(text, 1, VERIFIER_LOG);
	errno = -err;
	return err == 0;
}

static bool load(struct bpf_encap *e, size_t slots)
{
	int processors = libbpf_num_possible_cpus();

	e->object = bpf_object__open_mem(encap41_object,
					 (size_t)(encap41_object_end - encap41_object), NULL);
	if (!e->object || processors < 1)
		return false;
	e->processors = (size_t)processors;
	return size_map(e, "tunnels", slots) && size_map(e, "counters", slots) &&
	       size_map(e, "totals", e->processors) &&
	       size_map(e, "prefixes", slots * PREFIXES_PER_TUNNEL + PREFIXES_MORE) &&
	       load_verified(e);
}

static bool map_memory(struct bpf_encap *e, const char *name, size_t size, struct mapped *m)
{
	int fd = bpf_object__find_map_fd_by_name(e->object, name);

	m->size = size;
	m->memory = fd < 0 ? MAP_FAILED
			   : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return m->memory != MAP_FAILED;
}

static bool map_all(struct bpf_encap *e, size_t slots)
{
	e->prefixes = bpf_object__find_map_fd_by_name(e->object, "prefixes");
	e->devices = bpf_object__find_map_fd_by_name(e->object, "devices");
	return map_memory(e, "conf", sizeof(struct encap41_conf), &e->conf) &&
	       map_memory(e, "own", ENCAP41_SETS * ENCAP41_OWN * sizeof(struct encap41_own),
			  &e->own) &&
	       map_memory(e, "lengths",
			  ENCAP41_SETS * ENCAP41_LENGTHS * sizeof(struct encap41_length),
			  &e->lengths) &&
	       map_memory(e, "tunnels", slots * sizeof(struct tunnel), &e->tunnels) &&
	       map_memory(e, "counters", slots * sizeof(struct tunnel_counters), &e->counters) &&
	       map_memory(e, "totals", e->processors * sizeof(struct encap41_total), &e->totals);
}

struct bpf_encap *bpf_encap_create(size_t slots, struct offloads *offloads)
{
	static const struct mapped none = { MAP_FAILED, 0 };
	struct bpf_encap *e = calloc(1, sizeof(*e));

	libbpf_set_print(log_libbpf);
	if (e) {
		e->offloads = offloads;
		e->conf = e->own = e->lengths = e->tunnels = e->counters = e->totals = none;
		if (load(e, slots) && map_all(e, slots))
			e->sums = counters_create_in(e->counters.memory, slots);
		if (e->sums)
			return e;
	}
	if (offload_lost(offloads, OFFLOAD_BPF_ENCAP, OFFLOAD_MISSING))
		log_warn("%s is off: the kernel refused its program",
			 offload_name(OFFLOAD_BPF_ENCAP));
	bpf_encap_free(e);
	return NULL;
}

static void unmap(struct mapped *m)
{
	if (m->memory != MAP_FAILED)
		(void)munmap(m->memory, m->size);
}

void bpf_encap_free(struct bpf_encap *e)
{
	if (!e)
		return;
	if (e->interface)
		detach(e->interface);
	counters_free(e->sums);
	unmap(&e->conf);
	unmap(&e->own);
	unmap(&e->lengths);
	unmap(&e->tunnels);
	unmap(&e->counters);
	unmap(&e->totals);
	bpf_object__close(e->object);
	free(e);
}

struct tunnel *bpf_encap_tunnels(struct bpf_encap *e)
{
	return e->tunnels.memory;
}

struct counters *bpf_encap_counters(struct bpf_encap *e)
{
	return e->sums;
}

/* ---- running ---- */

int bpf_encap_start(struct bpf_encap *e, struct table *table, const char *tun, struct ip4 ipv4,
		    enum dscp dscp)
{
	int interface = (int)if_nametoindex(tun);

	e->table = table;
	fill_prefixes(e);
	bpf_encap_set_pop(e, table_pop(table));
	update_devices(e);
	conf_of(e)->tos_set = encap_tos(0, dscp);
	conf_of(e)->tos_kept = encap_tos(0xff, dscp) ^ encap_tos(0, dscp);
	conf_of(e)->ipv4 = ipv4.v;
	int err = interface > 0 ? attach(e, interface) : -errno;
	if (!err) {
		e->interface = interface;
		return 0;
	}
	bpf_encap_stop(e);
	errno = -err;
	if (offload_lost(e->offloads, OFFLOAD_BPF_ENCAP, OFFLOAD_MISSING))
		log_warn("%s is off: cannot attach its program to %s",
			 offload_name(OFFLOAD_BPF_ENCAP), tun);
	return -ERR_SYS;
}

void bpf_encap_stop(struct bpf_encap *e)
{
	atomic_store((_Atomic uint32_t *)&conf_of(e)->ipv4, 0);
	if (e->interface)
		detach(e->interface);
	e->interface = 0;
	if (e->table)
		table_on_prefix(e->table, NULL, NULL);
}

void bpf_encap_tick(struct bpf_encap *e, mono_s_t now, uint32_t expiry)
{
	struct encap41_conf *c = conf_of(e);
	uint64_t until = (uint64_t)(mono_now().ms + BPF_ENCAP_LEASE * 1000) * 1000000;

	if (++e->seconds % DEVICES_PERIOD == 0)
		update_devices(e);
	atomic_store((_Atomic uint32_t *)&c->now, now.s);
	atomic_store((_Atomic uint32_t *)&c->expiry, expiry);
	atomic_store((_Atomic uint64_t *)&c->lease_ns, until);
	bpf_encap_sum(e);
}

/* Counts the packets for which the program had no memory; only their number is known. */
static void count_refused(struct bpf_encap *e, uint64_t refused)
{
	struct drop_note note = { .why = DROP_SEND_REFUSED,
				  .refused = true,
				  .time = wall_seconds() };

	for (; e->refused < refused; e->refused++)
		counters_drop(e->sums, UINT32_MAX, &note);
}

void bpf_encap_sum(struct bpf_encap *e)
{
	const struct encap41_total *totals = e->totals.memory;
	struct encap41_total all = { 0 };

	for (size_t i = 0; i < e->processors; i++) {
		all.packets += totals[i].packets;
		all.bytes += totals[i].bytes;
		all.refused += totals[i].refused;
	}
	atomic_store(&e->sums->packets_out, all.packets);
	atomic_store(&e->sums->bytes_out, all.bytes);
	count_refused(e, all.refused);
}
