#include "tests/bench/merge.h"

#include <string.h>

#include "tests/bench/bytes.h"

enum { IPV6 = 40, TCP = 20, PROTO_TCP = 6, TCP_ACK = 0x10, TCP_PSH = 0x08 };

/* Bytes of headers when the packet is a TCP segment with payload that may be merged; 0: it is not.
 */
static size_t mergeable_header(const uint8_t *p, size_t len)
{
	if (len < IPV6 + TCP || p[0] >> 4 != 6 || p[6] != PROTO_TCP || get16(p + 4) + IPV6 != len)
		return 0;
	size_t header = IPV6 + (size_t)(p[IPV6 + 12] >> 4) * 4;
	if (header < IPV6 + TCP || header >= len || (p[IPV6 + 13] & ~TCP_PSH) != TCP_ACK)
		return 0;
	return header;
}

void merge_begin(struct merge *m, uint8_t *packet, size_t len)
{
	size_t header = mergeable_header(packet, len);

	*m = (struct merge){ .first = packet, .header = header, .count = 2 };
	m->pieces[0] = (struct iovec){ .iov_base = &m->vnet, .iov_len = sizeof(m->vnet) };
	m->pieces[1] = (struct iovec){ .iov_base = packet, .iov_len = len };
	m->payload = m->total = len - header;
	m->closed = header == 0 || packet[IPV6 + 13] & TCP_PSH;
	if (header)
		m->next_sequence = get32(packet + IPV6 + 4) + (uint32_t)m->payload;
}

/* Everything alike but lengths, sequence, PSH and checksum; so also the acknowledgement, window and
 * options. */
static bool same_headers(const struct merge *m, const uint8_t *p)
{
	const uint8_t *a = m->first, *tcp_a = a + IPV6, *tcp = p + IPV6;

	return memcmp(a, p, 4) == 0 && memcmp(a + 6, p + 6, 34) == 0 &&
	       memcmp(tcp_a, tcp, 4) == 0 && memcmp(tcp_a + 8, tcp + 8, 5) == 0 &&
	       memcmp(tcp_a + 14, tcp + 14, 2) == 0 &&
	       memcmp(tcp_a + TCP, tcp + TCP, m->header - IPV6 - TCP) == 0;
}

bool merge_add(struct merge *m, uint8_t *packet, size_t len)
{
	size_t header = mergeable_header(packet, len), payload = len - header;

	if (m->closed || header != m->header || payload > m->payload ||
	    m->total + payload > MERGE_BYTES || m->count == 2 + MERGE_SEGMENTS ||
	    get32(packet + IPV6 + 4) != m->next_sequence || !same_headers(m, packet))
		return false;
	m->pieces[m->count++] = (struct iovec){ .iov_base = packet + header, .iov_len = payload };
	m->total += payload;
	m->next_sequence += (uint32_t)payload;
	m->first[IPV6 + 13] |= packet[IPV6 + 13] & TCP_PSH;
	m->closed = payload < m->payload || packet[IPV6 + 13] & TCP_PSH;
	return true;
}

void merge_finish(struct merge *m)
{
	if (m->count == 2)
		return;
	uint32_t upper = (uint32_t)(m->header - IPV6 + m->total);
	m->vnet = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
					   .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
					   .hdr_len = (uint16_t)m->header,
					   .gso_size = (uint16_t)m->payload,
					   .csum_start = IPV6,
					   .csum_offset = 16 };
	put16(m->first + 4, upper);
	put16(m->first + IPV6 + 16, add_pseudo6(m->first, upper, PROTO_TCP));
}
