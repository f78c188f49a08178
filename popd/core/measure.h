/*
 * What popd counts, in one list: popctl's JSON, the metrics page, the batches to the database and
 * the columns of its tables take their names from it (drops by reason: popd/core/drop.h).
 * X(enumerator, name, how two values become one, unit, description)
 */
#ifndef POPD_CORE_MEASURE_H
#define POPD_CORE_MEASURE_H

/* Per tunnel. Packets and bytes are those of inner packets; probes and their answers count as sent
 * and received only. */
#define MEASURE_TUNNEL_LIST(X)                                                            \
	X(SENT, "sent", SUM, "packets", "probes sent to the client")                      \
	X(RECEIVED, "received", SUM, "packets", "probes that the client answered")        \
	X(RTT_MIN, "rtt_min_us", MIN, "microseconds", "shortest round trip of a probe")   \
	X(RTT_SUM, "rtt_sum_us", SUM, "microseconds", "sum of all round trips of probes") \
	X(RTT_MAX, "rtt_max_us", MAX, "microseconds", "longest round trip of a probe")    \
	X(PACKETS_IN, "packets_in", SUM, "packets",                                       \
	  "packets from the client, delivered or answered")                               \
	X(BYTES_IN, "bytes_in", SUM, "bytes", "bytes of the packets from the client")     \
	X(PACKETS_OUT, "packets_out", SUM, "packets",                                     \
	  "packets to the client, including the PoP's own answers")                       \
	X(BYTES_OUT, "bytes_out", SUM, "bytes", "bytes of the packets to the client")     \
	X(DROPS, "drops", SUM, "packets", "packets dropped")

/* Per PoP only. */
#define MEASURE_POP_LIST(X)                                                               \
	X(KEEPALIVES, "keepalives", SUM, "packets", "valid heartbeats and AYIYA no-ops")  \
	X(ENDPOINT_MOVES, "endpoint_moves", SUM, "events", "moves of tunnel endpoints")   \
	X(PATH_CHALLENGES, "path_challenges", SUM, "packets",                             \
	  "echo requests that ask an address whether the client is there")                \
	X(PATH_RESPONSES, "path_responses", SUM, "packets", "answers to path challenges") \
	X(ICMP_ERRORS_SENT, "icmp_errors_sent", SUM, "packets", "ICMPv6 errors sent")     \
	X(ICMP_ERRORS_LIMITED, "icmp_errors_limited", SUM, "packets",                     \
	  "ICMPv6 errors that the rate limit held back")

enum measure {
#define X(e, name, how, unit, text) MEASURE_##e,
	MEASURE_TUNNEL_LIST(X) MEASURE_POP_LIST(X)
#undef X
		MEASURE__COUNT,
	MEASURE__TUNNEL = MEASURE_DROPS + 1, /* the number of measures per tunnel */
};

/* MIN: 0 stands for "none yet". */
enum measure_how { MEASURE_SUM, MEASURE_MIN, MEASURE_MAX };

/* `m` is in the list. */
const char *measure_name(enum measure m);
const char *measure_unit(enum measure m);
const char *measure_text(enum measure m);
enum measure_how measure_how(enum measure m);

#endif
