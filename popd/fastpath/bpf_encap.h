/*
 * The fast path in the kernel for protocol-41 encapsulation: loads, configures and reads a tc-BPF
 * program at the TUN's egress (encap41.bpf.c says what it does). Only bpf_encap.c includes libbpf;
 * bpf_encap_none.c replaces it in a popd built without.
 *
 * The table is shared: the tunnels lie in one of the program's maps (bpf_encap_tunnels, for
 * table_create_in), so the program sees each change of an endpoint, a heartbeat, a path MTU or a
 * tunnel's state as soon as the workers do. Only the map from prefix to tunnel is a copy, updated
 * through table_on_prefix.
 *
 * Packets that the program forwards are counted in counters like those of a worker
 * (bpf_encap_counters).
 *
 * A tunnel leaves the fast path while `held` of struct tunnel is set (trace.h sets it for watched
 * tunnels): popd then forwards all its packets.
 *
 * The program is a clsact filter, which Linux 6.1 supports, and not a link that ends with popd
 * (tcx, Linux 6.6). Therefore it has a lease, which the control thread renews each second; when the
 * lease expires, the program passes all packets to popd. After popd was killed, it forwards for at
 * most BPF_ENCAP_LEASE seconds with the last state of the table. The next popd replaces it.
 *
 * All functions are called by the control thread.
 */
#ifndef POPD_FASTPATH_BPF_ENCAP_H
#define POPD_FASTPATH_BPF_ENCAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/clock.h"
#include "lib/ip.h"
#include "popd/core/counters.h"
#include "popd/core/job.h"
#include "popd/core/offload.h"
#include "popd/core/table.h"

struct bpf_encap;

enum { BPF_ENCAP_LEASE = 3 }; /* seconds */

/* Loads the program, for `slots` tunnels. NULL after a line in the log when this popd, the kernel
 * or our capabilities do not allow it; the offload is then OFFLOAD_MISSING. */
struct bpf_encap *bpf_encap_create(size_t slots, struct offloads *offloads) NONNULL;
/* Detaches the program. The table and the counters in its memory must be freed before. NULL is
 * fine. */
void bpf_encap_free(struct bpf_encap *e);

/* The memory of the tunnels: zeroed, for `slots` of them. */
struct tunnel *bpf_encap_tunnels(struct bpf_encap *e) NONNULL;
/* The program's counters, freed with it. */
struct counters *bpf_encap_counters(struct bpf_encap *e) NONNULL;

/* Copies the table's prefixes to the program and attaches it to the interface; packets take the
 * fast path after the next bpf_encap_tick. 0, or -ERR_SYS after a line in the log: there is no fast
 * path. */
int bpf_encap_start(struct bpf_encap *e, struct table *table, const char *tun, struct ip4 ipv4,
		    enum dscp dscp) NONNULL MUSTCHECK;
/* Ends the fast path and detaches the program. */
void bpf_encap_stop(struct bpf_encap *e) NONNULL;

/* After bpf_encap_start: whether the program is on the interface still; puts it there again: 0, or
 * -ERR_SYS with errno. */
bool bpf_encap_is_attached(const struct bpf_encap *e) NONNULL;
int bpf_encap_attach(struct bpf_encap *e) NONNULL MUSTCHECK;

/* Tells the program the PoP's prefixes. */
void bpf_encap_set_pop(struct bpf_encap *e, const struct pop_conf *pop) NONNULL;
/* Renews the lease; call it each second. `expiry`: seconds. */
void bpf_encap_tick(struct bpf_encap *e, mono_s_t now, uint32_t expiry) NONNULL;
/* Updates the sums over the PoP in bpf_encap_counters; those of a tunnel are always up to date. */
void bpf_encap_sum(struct bpf_encap *e) NONNULL;

/* Detaches a program that an earlier popd has left on the interface. */
void bpf_encap_clear(const char *tun) NONNULL;

#endif
