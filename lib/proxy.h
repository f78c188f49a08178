/*
 * The header of the PROXY protocol (HAProxy's proxy-protocol.txt), with which a front begins a
 * connection and says for whom it was made. Version 1 is a line of text:
 *
 *   PROXY TCP4 192.0.2.1 198.51.100.1 56324 3874\r\n        at most 107 bytes
 *
 * Version 2 is binary:
 *
 *    0 .. 11      12       13       14 .. 15      16 ..
 *    signature    version  family   length of     addresses: source, destination, ports;
 *                 command  protocol what follows  then TLVs, which are skipped
 *
 * Pure.
 */
#ifndef LIB_PROXY_H
#define LIB_PROXY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/peer.h"

enum {
	PROXY_V1_MAX = 107,      /* bytes, CR and LF included */
	PROXY_V2_FIXED = 16,     /* bytes before the addresses */
	PROXY_HEADER_MAX = 1024, /* bytes; longer ones are taken for garbage */
};

enum proxy_result {
	PROXY_MORE,   /* the header goes on behind `len` */
	PROXY_CLIENT, /* *client is whom the front speaks for */
	PROXY_OWN,    /* the front speaks for itself (LOCAL), or does not know for whom (UNKNOWN) */
	PROXY_GARBAGE, /* no such header */
};

/* Reads a header from the first bytes of a connection. With PROXY_CLIENT and PROXY_OWN *used is its
 * length, at most `len` and PROXY_HEADER_MAX. */
enum proxy_result proxy_read(const uint8_t *data, size_t len, size_t *used, struct peer *client)
	NONNULL MUSTCHECK;

#endif
