/*
 * The formats. All numbers are big endian; behind each field its length in bytes.
 *
 *  head    "popdsnap" 8 | version 4 | length of the snapshot 8 | written 4 | feed sequence 8
 *          PoP's name, padded with NULs 32 | PoP's IPv4 4 | popd's own address 16
 *          number of tunnel prefixes 2 | number of all prefixes 2 | prefixes (length 1 | address 16)
 *          number of all PoPs 2 | their IPv4 addresses (4) | number of tunnels 4
 *  tunnel  length of the rest 4 | id 4 | type 1 | enabled 1 | MTU 2 | net 8 | static endpoint 4
 *          endpoint word 8 | newest 4 | heard 4 | highest 4 | length of the secret 1 | secret
 *          number of routes 2 | routes (length 1 | address 16)
 *  end     CRC-32C of everything before it 4
 *
 * Journal record, 32 bytes:
 *  "jrn2" 4 | id 4 | endpoint word 8 | newest 4 | heard 4 | highest 4 | CRC-32C of bytes 0 to 27 4
 *
 * Versions 1 and 2 of the snapshot have no other PoPs. Version 1, and "jrn1", have no highest epoch: the newest is taken for it. Where it
 * would be, the snapshot has nothing and the record zeros.
 */
#include "popd/feed/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "lib/err.h"
#include "lib/rd.h"
#include "lib/wr.h"

static const char magic[8] = { 'p', 'o', 'p', 'd', 's', 'n', 'a', 'p' };
static const char journal_magic[4] = { 'j', 'r', 'n', '2' };
static const char journal_magic_1[4] = { 'j', 'r', 'n', '1' };

enum {
	VERSION = 3,
	VERSION_WITHOUT_HIGHEST = 1,
	PREFIX_SIZE = 17,
	ADDRESS_SIZE = 4,
	HEAD_SIZE = 94,
	HEAD_MIN = 92, /* of the versions before */
	CRC_SIZE = 4,
	TUNNEL_SIZE = 43,
	TUNNEL_PREFIX = 4
};

/* ---- encode ---- */

static void put_prefix(struct wr *w, const struct prefix6 *p)
{
	wr_u8(w, p->len);
	wr_bytes(w, p->addr.b, sizeof(p->addr.b));
}

static void put_head(struct wr *w, const struct table *t, const struct snapshot_head *head,
		     size_t total)
{
	const struct pop_conf *pop = table_pop(t);

	wr_bytes(w, magic, sizeof(magic));
	wr_u32(w, VERSION);
	wr_u64(w, total);
	wr_u32(w, head->written);
	wr_u64(w, head->feed_seq);
	wr_bytes(w, head->pop, strnlen(head->pop, SNAPSHOT_NAME));
	wr_zeros(w, SNAPSHOT_NAME - strnlen(head->pop, SNAPSHOT_NAME));
	wr_u32(w, pop->ipv4.v);
	wr_bytes(w, pop->own.b, sizeof(pop->own.b));
	wr_u16(w, pop->tunnel_prefix_count);
	wr_u16(w, pop->prefix_count);
	for (size_t i = 0; i < pop->prefix_count; i++)
		put_prefix(w, &pop->prefixes[i]);
	wr_u16(w, pop->peer_count);
	for (size_t i = 0; i < pop->peer_count; i++)
		wr_u32(w, pop->peers[i].v);
	wr_u32(w, table_count(t));
}

static size_t tunnel_size(const struct tunnel_conf *c)
{
	return TUNNEL_SIZE + strlen(c->secret) + (size_t)c->route_count * PREFIX_SIZE;
}

static void put_tunnel(struct wr *w, const struct tunnel *t, const struct tunnel_conf *c,
		       struct moment now)
{
	wr_u32(w, tunnel_size(c));
	wr_u32(w, c->id);
	wr_u8(w, c->type);
	wr_u8(w, c->enabled);
	wr_u16(w, c->mtu);
	wr_bytes(w, c->net.b, 8);
	wr_u32(w, c->static_endpoint.v);
	struct tunnel_memory m = tunnel_memory(t);
	wr_u64(w, c->type == TUNNEL_STATIC ? 0 : m.endpoint);
	wr_u32(w, m.newest);
	wr_u32(w, moment_wall(now, m.heard));
	wr_u32(w, m.highest);
	wr_u8(w, strlen(c->secret));
	wr_str(w, c->secret);
	wr_u16(w, c->route_count);
	for (size_t i = 0; i < c->route_count; i++)
		put_prefix(w, &c->routes[i]);
}

int snapshot_encode(struct table *t, const struct snapshot_head *head, struct moment now,
		    uint8_t **out, size_t *len)
{
	const struct pop_conf *pop = table_pop(t);
	size_t slots = table_slots_used(t), total = HEAD_SIZE + pop->prefix_count * PREFIX_SIZE +
						    pop->peer_count * ADDRESS_SIZE + CRC_SIZE;

	for (size_t i = 0; i < slots; i++) {
		const struct tunnel_conf *c = atomic_load(&table_slot(t, i)->conf);
		if (c)
			total += TUNNEL_PREFIX + tunnel_size(c);
	}
	uint8_t *bytes = malloc(total);
	if (!bytes)
		return -ERR_NOMEM;
	struct wr w = wr_init(bytes, total);
	put_head(&w, t, head, total);
	for (size_t i = 0; i < slots; i++) {
		const struct tunnel_conf *c = atomic_load(&table_slot(t, i)->conf);
		if (c)
			put_tunnel(&w, table_slot(t, i), c, now);
	}
	wr_u32(&w, crc32c(bytes, total - CRC_SIZE));
	if (!wr_ok(&w) || wr_len(&w) != total) {
		snapshot_free(bytes, total);
		return -ERR_RANGE;
	}
	*out = bytes;
	*len = total;
	return 0;
}

void snapshot_free(uint8_t *data, size_t len)
{
	if (data)
		secure_zero(data, len);
	free(data);
}

/* ---- decode ---- */

/* False: a length above 128, or bits set beyond the length. A failed cursor gives ::/0; the caller
 * tests it later. */
static bool get_prefix(struct rd *r, struct prefix6 *p)
{
	p->len = rd_u8(r);
	rd_copy(r, p->addr.b, sizeof(p->addr.b));
	if (p->len > 128)
		return false;
	struct ip6 cut = ip6_mask(&p->addr, p->len);
	return ip6_equal(&cut, &p->addr);
}

static int get_peers(struct rd *r, struct pop_conf *pop)
{
	struct ip4 peers[TABLE_POPS];
	size_t n = rd_u16(r);

	if (n > TABLE_POPS)
		return -ERR_RANGE;
	for (size_t i = 0; i < n; i++)
		peers[i].v = rd_u32(r);
	if (!rd_ok(r))
		return -ERR_TRUNCATED;
	pop_set_peers(pop, peers, n);
	return 0;
}

static int get_pop(struct rd *r, uint32_t version, struct pop_conf *pop)
{
	bool valid = true;

	memset(pop, 0, sizeof(*pop));
	pop->ipv4.v = rd_u32(r);
	rd_copy(r, pop->own.b, sizeof(pop->own.b));
	pop->tunnel_prefix_count = rd_u16(r);
	pop->prefix_count = rd_u16(r);
	if (pop->prefix_count > TABLE_POP_PREFIXES || pop->tunnel_prefix_count > pop->prefix_count)
		return -ERR_RANGE;
	for (size_t i = 0; i < pop->prefix_count; i++)
		valid = get_prefix(r, &pop->prefixes[i]) && valid;
	if (!rd_ok(r) || !valid)
		return rd_ok(r) ? -ERR_RANGE : -ERR_TRUNCATED;
	return version == VERSION ? get_peers(r, pop) : 0;
}

/* A tunnel without its routes. */
struct record {
	uint32_t id, static_endpoint;
	uint8_t type, enabled;
	uint16_t mtu, routes;
	uint8_t net[8];
	struct tunnel_memory memory;
	uint32_t heard; /* wall second */
	size_t secret_len;
	const uint8_t *secret;
};

static int get_record(struct rd *r, uint32_t version, struct record *out)
{
	out->id = rd_u32(r);
	out->type = rd_u8(r);
	out->enabled = rd_u8(r);
	out->mtu = rd_u16(r);
	rd_copy(r, out->net, sizeof(out->net));
	out->static_endpoint = rd_u32(r);
	out->memory.endpoint = rd_u64(r);
	out->memory.newest = rd_u32(r);
	out->heard = rd_u32(r);
	out->memory.highest = version == VERSION_WITHOUT_HIGHEST ? out->memory.newest : rd_u32(r);
	out->secret_len = rd_u8(r);
	out->secret = rd_bytes(r, out->secret_len);
	out->routes = rd_u16(r);
	if (!rd_ok(r))
		return -ERR_TRUNCATED;
	if (out->id == 0 || out->id > INT32_MAX || out->type >= TUNNEL_TYPE__COUNT ||
	    out->enabled > 1 || out->mtu < TUNNEL_MTU_MIN || out->mtu > TUNNEL_MTU_MAX ||
	    out->secret_len > TUNNEL_SECRET_LEN || memchr(out->secret, '\0', out->secret_len))
		return -ERR_RANGE;
	/* All routes must be there before memory is allocated for them. */
	if (rd_left(r) != (size_t)out->routes * PREFIX_SIZE)
		return rd_left(r) < (size_t)out->routes * PREFIX_SIZE ? -ERR_TRUNCATED
								      : -ERR_TRAILING;
	return 0;
}

static int conf_of(struct rd *r, const struct record *rec, struct digest_ctx *digest,
		   struct tunnel_conf **out)
{
	struct tunnel_conf *c = tunnel_conf_create(rec->routes);
	bool valid = true;

	if (!c)
		return -ERR_NOMEM;
	c->id = rec->id;
	c->type = rec->type;
	c->enabled = rec->enabled;
	c->mtu = rec->mtu;
	memcpy(c->net.b, rec->net, sizeof(rec->net));
	c->static_endpoint.v = rec->static_endpoint;
	for (size_t i = 0; i < rec->routes; i++)
		valid = get_prefix(r, &c->routes[i]) && valid;
	int err = valid ? tunnel_conf_set_secret(c, digest, (const char *)rec->secret,
						 rec->secret_len)
			: -ERR_RANGE;
	if (!err && rec->memory.endpoint != 0 && !tunnel_accepts_endpoint(c, rec->memory.endpoint))
		err = -ERR_RANGE;
	if (err)
		tunnel_conf_free(c);
	else
		*out = c;
	return err;
}

static int get_tunnel(struct rd *r, uint32_t version, struct table *t, struct digest_ctx *digest,
		      struct moment now)
{
	struct rd sub = rd_sub(r, rd_u32(r));
	struct tunnel_conf *c;
	struct record rec;
	int err = get_record(&sub, version, &rec);

	if (!err && table_by_id(t, rec.id))
		err = -ERR_RANGE;
	if (!err)
		err = conf_of(&sub, &rec, digest, &c);
	if (err)
		return err;
	err = table_set(t, c);
	if (err) {
		tunnel_conf_free(c);
		return err == -ERR_EXISTS ? -ERR_RANGE : err;
	}
	rec.memory.heard = moment_mono(now, rec.heard);
	(void)table_restore(t, rec.id, &rec.memory);
	return 0;
}

static int get_tunnels(struct rd *r, uint32_t version, struct table *t, struct digest_ctx *digest,
		       struct moment now)
{
	uint32_t count = rd_u32(r);
	int err = rd_ok(r) ? 0 : -ERR_TRUNCATED;

	for (uint32_t i = 0; i < count && !err; i++)
		err = get_tunnel(r, version, t, digest, now);
	return !err && !rd_end(r) ? -ERR_TRAILING : err;
}

void snapshot_empty(struct table *t)
{
	for (size_t i = 0; i < table_slots_used(t); i++) {
		const struct tunnel_conf *c = atomic_load(&table_slot(t, i)->conf);
		if (c)
			(void)table_delete(t, c->id);
	}
	table_clear_pop(t);
	table_reclaim(t);
}

/* Checks the magic, version, length and checksum. */
static int check(const uint8_t *data, size_t len, uint32_t *version)
{
	struct rd r = rd_init(data, len);
	const uint8_t *found = rd_bytes(&r, sizeof(magic));

	*version = rd_u32(&r);
	if (!found || memcmp(found, magic, sizeof(magic)) != 0 || *version > VERSION ||
	    *version < VERSION_WITHOUT_HIGHEST)
		return -ERR_FORMAT;
	uint64_t total = rd_u64(&r);
	if (!rd_ok(&r) || len < total || len < HEAD_MIN + CRC_SIZE)
		return -ERR_TRUNCATED;
	if (len > total)
		return -ERR_TRAILING;
	rd_skip(&r, len - CRC_SIZE - (size_t)(r.pos - data));
	return rd_u32(&r) == crc32c(data, len - CRC_SIZE) ? 0 : -ERR_FORMAT;
}

int snapshot_decode(struct table *t, struct digest_ctx *digest, const uint8_t *data, size_t len,
		    struct moment now, struct snapshot_head *head)
{
	uint32_t version = 0;
	int err = table_count(t) == 0 ? check(data, len, &version) : -ERR_EXISTS;
	struct snapshot_head h = { .written = 0 };
	struct pop_conf pop;

	if (err)
		return err;
	struct rd r = rd_init(data, len - CRC_SIZE);
	rd_skip(&r, sizeof(magic) + 4 + 8);
	h.written = rd_u32(&r);
	h.feed_seq = rd_u64(&r);
	rd_copy(&r, h.pop, SNAPSHOT_NAME);
	err = get_pop(&r, version, &pop);
	if (err)
		return err;
	err = table_set_pop(t, &pop);
	if (!err)
		err = get_tunnels(&r, version, t, digest, now);
	if (err)
		snapshot_empty(t);
	else
		*head = h;
	return err;
}

/* ---- checksum ---- */

/* For each value of four bits: that value times x^32 modulo the polynomial, bits mirrored. */
static const uint32_t by_nibble[16] = {
	0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
	0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
	0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
};

uint32_t crc32c_portable(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		crc ^= p[i];
		crc = by_nibble[crc & 15] ^ crc >> 4;
		crc = by_nibble[crc & 15] ^ crc >> 4;
	}
	return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t crc = UINT32_MAX, word;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, sizeof(word));
		crc = __builtin_ia32_crc32di(crc, word);
	}
	for (; len > 0; len--)
		crc = __builtin_ia32_crc32qi((uint32_t)crc, *p++);
	return ~(uint32_t)crc;
}

uint32_t crc32c(const void *data, size_t len)
{
	return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(data, len)
						: crc32c_portable(data, len);
}
#else
uint32_t crc32c(const void *data, size_t len)
{
	return crc32c_portable(data, len);
}
#endif

/* ---- journal ---- */

void journal_encode(const struct journal_entry *e, uint8_t out[static JOURNAL_RECORD])
{
	struct wr w = wr_init(out, JOURNAL_RECORD);

	wr_bytes(&w, journal_magic, sizeof(journal_magic));
	wr_u32(&w, e->tunnel);
	wr_u64(&w, e->memory.endpoint);
	wr_u32(&w, e->memory.newest);
	wr_u32(&w, e->heard);
	wr_u32(&w, e->memory.highest);
	wr_u32(&w, crc32c(out, JOURNAL_RECORD - CRC_SIZE));
}

int journal_decode(const uint8_t in[static JOURNAL_RECORD], struct journal_entry *out)
{
	struct rd r = rd_init(in, JOURNAL_RECORD);
	const uint8_t *found = rd_bytes(&r, sizeof(journal_magic));
	struct journal_entry e;

	e.tunnel = rd_u32(&r);
	e.memory.endpoint = rd_u64(&r);
	e.memory.newest = rd_u32(&r);
	e.heard = rd_u32(&r);
	e.memory.highest = rd_u32(&r);
	bool old = memcmp(found, journal_magic_1, sizeof(journal_magic_1)) == 0;
	if ((!old && memcmp(found, journal_magic, sizeof(journal_magic)) != 0) ||
	    (old && e.memory.highest != 0) || rd_u32(&r) != crc32c(in, JOURNAL_RECORD - CRC_SIZE))
		return -ERR_FORMAT;
	if (old)
		e.memory.highest = e.memory.newest;
	*out = e;
	return 0;
}

size_t journal_apply(struct table *t, const uint8_t *data, size_t len, struct moment now)
{
	struct journal_entry e;
	size_t done = 0;

	while (len - done >= JOURNAL_RECORD && journal_decode(data + done, &e) == 0) {
		e.memory.heard = moment_mono(now, e.heard);
		(void)table_restore(t, e.tunnel, &e.memory);
		done += JOURNAL_RECORD;
	}
	return done;
}
