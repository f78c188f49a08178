/*
 * A watched packet as one line of JSON:
 *
 *   at            microseconds since 1970
 *   tunnel        whose packet it is, null: nobody's, or it came from the uplink
 *   charged       whose the drop is
 *   source        what the bytes are (errors_json.h)
 *   from          outer source, "uplink" or "popd"
 *   tos           outer, of what has an outer header
 *   length        of the packet
 *   packet        as received, in hexadecimal, as many bytes as were asked for
 *   drop, text    the reason's name and sentence, null: none
 *   out           what left because of it: a list of
 *     kind        "tun", "udp", "proto41"
 *     answer      true: popd's own, back to where the packet came from
 *     tunnel, to, tos, df, length, packet
 */
#ifndef POPD_OBSERVE_TRACE_JSON_H
#define POPD_OBSERVE_TRACE_JSON_H

#include <stdint.h>

#include "lib/cc.h"
#include "popd/port/tap.h"

/* malloc'ed; NULL: no memory. */
char *trace_json_packet(const struct tap_packet *p, uint32_t snap) NONNULL;

#endif
