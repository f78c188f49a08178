/* The packets that popd sends for a trace, one JSON line each: printed as text or JSON, or written
 * to a capture file. */
#ifndef POPD_CTL_PACKET_SHOW_H
#define POPD_CTL_PACKET_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cc.h"
#include "lib/ip.h"

enum packet_form { FORM_TEXT, FORM_JSON, FORM_OUTER, FORM_INNER };

struct packet_show {
	FILE *out;
	enum packet_form form;
	/* the source of the PoP's outer packets */
	struct ip4 ipv4;
	uint16_t ayiya_port, heartbeat_port;
	uint64_t shown; /* lines, or packets in the file */
	uint64_t max;   /* stop after so many; 0: never */
};

/* Takes popd's first line: 0, and `err` says what is followed; 1: popd refused, and `err` says why.
 */
int packet_show_begin(struct packet_show *s, const char *answer, FILE *err) NONNULL;
/* Takes any further line; lost packets are reported on `err`. 0; 1: the line is not a packet. */
int packet_show_line(struct packet_show *s, const char *line, FILE *err) NONNULL;
bool packet_show_is_done(const struct packet_show *s) NONNULL;

#endif
