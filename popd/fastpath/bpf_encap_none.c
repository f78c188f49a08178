/* Replaces bpf_encap.c when popd is built without libbpf or without a compiler for BPF. */
#include "popd/fastpath/bpf_encap.h"

#include "lib/err.h"
#include "lib/log.h"

struct bpf_encap *bpf_encap_create(size_t slots, struct offloads *offloads)
{
	(void)slots;
	log_warnx("%s is off: this popd was built without BPF", offload_name(OFFLOAD_BPF_ENCAP));
	offload_lost(offloads, OFFLOAD_BPF_ENCAP, OFFLOAD_MISSING);
	return NULL;
}

/* These are never called, since there is no struct bpf_encap. */

void bpf_encap_free(struct bpf_encap *e)
{
	(void)e;
}

struct tunnel *bpf_encap_tunnels(struct bpf_encap *e)
{
	(void)e;
	return NULL;
}

struct counters *bpf_encap_counters(struct bpf_encap *e)
{
	(void)e;
	return NULL;
}

int bpf_encap_start(struct bpf_encap *e, struct table *table, const char *tun, struct ip4 ipv4,
		    enum dscp dscp)
{
	(void)e;
	(void)table;
	(void)tun;
	(void)ipv4;
	(void)dscp;
	return -ERR_SYS;
}

void bpf_encap_stop(struct bpf_encap *e)
{
	(void)e;
}

void bpf_encap_set_pop(struct bpf_encap *e, const struct pop_conf *pop)
{
	(void)e;
	(void)pop;
}

void bpf_encap_tick(struct bpf_encap *e, mono_s_t now, uint32_t expiry)
{
	(void)e;
	(void)now;
	(void)expiry;
}

void bpf_encap_sum(struct bpf_encap *e)
{
	(void)e;
}

void bpf_encap_clear(const char *tun)
{
	(void)tun;
}

bool bpf_encap_is_attached(const struct bpf_encap *e)
{
	(void)e;
	return true;
}

int bpf_encap_attach(struct bpf_encap *e)
{
	(void)e;
	return 0;
}
