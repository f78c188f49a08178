#include "popd/core/path.h"

/* The table of RFC 1191 7.1, and the MTUs that tunnels and access lines have today. */
static const uint16_t plateaus[] = {
	32000, 17914, 9000, 8166, 4352, 2002, 1500, 1492, 1480,
	1460,  1420,  1400, 1380, 1300, 1006, 508,  296,  PATH_MTU_MIN,
};

uint32_t path_mtu(uint64_t word, mono_s_t now)
{
	mono_s_t since = path_since(word);

	/* Another worker may have read its clock, and learnt it, since. */
	uint32_t age = now.s >= since.s ? now.s - since.s : 0;
	return age < PATH_LIFE ? (uint32_t)(word >> 32) : 0;
}

/* The lock keeps an error about the old endpoint from lowering the MTU of a new one. */
void path_lower(struct tunnel *t, uint64_t endpoint, uint32_t mtu, mono_s_t now)
{
	if (mtu < PATH_MTU_MIN)
		mtu = PATH_MTU_MIN;
	tunnel_lock(t);
	uint32_t known = path_mtu(atomic_load_explicit(&t->path, memory_order_relaxed), now);
	if ((atomic_load_explicit(&t->endpoint, memory_order_relaxed) ^ endpoint) >> 16 == 0 &&
	    (known == 0 || mtu < known))
		atomic_store_explicit(&t->path, path_pack(mtu, now), memory_order_relaxed);
	tunnel_unlock(t);
}

uint32_t path_plateau(uint32_t len)
{
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(plateaus) && plateaus[i] >= len)
		i++;
	return plateaus[i];
}
