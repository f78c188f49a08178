/* Offsets of the fields of TCP (RFC 9293 3.1) and UDP (RFC 768) headers, for the offloads of popd,
 * which look inside the inner packet. */
#ifndef LIB_WIRE_TRANSPORT_H
#define LIB_WIRE_TRANSPORT_H

enum {
	TCP_HEADER = 20,
	TCP_AT_SEQUENCE = 4,
	TCP_AT_ACK = 8,
	TCP_AT_OFFSET = 12,
	TCP_AT_FLAGS = 13,
	TCP_AT_WINDOW = 14,
	TCP_AT_CHECK = 16,
	TCP_AT_URGENT = 18,
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_CWR = 0x80,
	UDP_HEADER = 8,
	UDP_AT_LENGTH = 4,
	UDP_AT_CHECK = 6,
};

#endif
