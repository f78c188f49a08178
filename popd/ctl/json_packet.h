/* What popd tells of packets that are followed, one JSON line each: as a line for people, as popd
 * sent it, or into a capture file. */
#ifndef POPD_CTL_JSON_PACKET_H
#define POPD_CTL_JSON_PACKET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cc.h"
#include "lib/ip.h"

enum packet_form { FORM_TEXT, FORM_JSON, FORM_OUTER, FORM_INNER };

struct packet_show {
	FILE *out;
	enum packet_form form;
	/* where the PoP's outer packets come from */
	struct ip4 ipv4;
	uint16_t ayiya_port, heartbeat_port;
	uint64_t shown; /* lines, or packets in the file */
	uint64_t most;  /* stop after so many; 0: never */
};

/* `answer` is the first line. 0, and what is followed is said to `err`; 1: popd refuses, which is
 * said there too. */
int packet_show_begin(struct packet_show *s, const char *answer, FILE *err) NONNULL;
/* Any other. What was lost is said to `err`. 0; 1: it is no such line. */
int packet_show_line(struct packet_show *s, const char *line, FILE *err) NONNULL;
bool packet_show_is_done(const struct packet_show *s) NONNULL;

#endif
