/*
 * The fast path in the kernel for protocol-41 encapsulation: a tc-BPF program on the TUN's way out
 * (its head says what it does, popd/fastpath/encap41.bpf.c), loaded, fed and shown here. libbpf is
 * named in bpf_encap.c only; bpf_encap_none.c stands in for it in a popd built without.
 *
 * The same table: the program reads the tunnels where workers write them, since their array is one
 * of its maps (bpf_encap_tunnels, for table_create_in); so it knows of an endpoint that has moved,
 * a beat, a path MTU, a tunnel disabled or deleted at the same moment as they do. Only the way from
 * prefix to tunnel is a copy, kept by table_on_prefix.
 *
 * The same counters: what it forwards stands in counters of its own, like those of a worker
 * (bpf_encap_counters).
 *
 * One tunnel without the fast path: set `held` of struct tunnel (trace.h does, for what is
 * watched). Then its every packet comes by popd from the next on.
 *
 * The program is a clsact filter, which Linux 6.1 has too, and not a link that would end with popd
 * (tcx, Linux 6.6). Therefore a lease: the control thread renews it each second, and when that ends
 * the program leaves all packets to popd. A popd that was killed thus forwards for at most
 * BPF_ENCAP_LEASE seconds more, with the table it last had; the next one replaces the program when
 * it starts.
 *
 * All functions are the control thread's.
 */
#ifndef POPD_FASTPATH_BPF_ENCAP_H
#define POPD_FASTPATH_BPF_ENCAP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "popd/core/counters.h"
#include "popd/core/job.h"
#include "popd/core/offload.h"
#include "popd/core/table.h"

struct bpf_encap;

enum { BPF_ENCAP_LEASE = 3 }; /* seconds */

/* Loads the program, for `slots` tunnels. NULL after one line in the log: this popd, this kernel or
 * our rights do not allow it, and the offload is OFFLOAD_MISSING. */
struct bpf_encap *bpf_encap_create(size_t slots, struct offloads *offloads) NONNULL;
/* Takes the program off the TUN. The table and the counters that use the memory must be gone. NULL
 * is fine. */
void bpf_encap_free(struct bpf_encap *e);

/* Zeroed memory for that many. */
struct tunnel *bpf_encap_tunnels(struct bpf_encap *e) NONNULL;
/* Ours, freed with us. */
struct counters *bpf_encap_counters(struct bpf_encap *e) NONNULL;

/* Tells the program all that is in the table (which lives in our memory) and puts it on the
 * interface; packets take the fast path from the next bpf_encap_tick on. 0; -ERR_SYS after a line
 * in the log: popd does without. */
int bpf_encap_start(struct bpf_encap *e, struct table *table, const char *tun, struct ip4 ipv4,
		    enum dscp dscp) NONNULL MUSTCHECK;
/* No packet takes the fast path any more. */
void bpf_encap_stop(struct bpf_encap *e) NONNULL;

/* The PoP's prefixes have changed. */
void bpf_encap_set_pop(struct bpf_encap *e, const struct pop_conf *pop) NONNULL;
/* To be called each second: renews the lease. `expiry`: seconds. */
void bpf_encap_tick(struct bpf_encap *e, uint32_t now, uint32_t expiry) NONNULL;
/* Brings the sums over the PoP in bpf_encap_counters up to date; a tunnel's own always are. */
void bpf_encap_sum(struct bpf_encap *e) NONNULL;

/* Takes a program that an earlier popd has left off the interface, when this one has none to put
 * there. */
void bpf_encap_clear(const char *tun) NONNULL;

#endif
