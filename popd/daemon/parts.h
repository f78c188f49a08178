/*
 * The parts of a running popd, for those who make them (build.h) or read them together (facts.h).
 * A part knows the parts it talks to by pointers it was created with, and never this struct.
 */
#ifndef POPD_DAEMON_PARTS_H
#define POPD_DAEMON_PARTS_H

#include <stdint.h>

#include "lib/clock.h"
#include "lib/histogram.h"

struct ev_loop;

struct parts {
	/* the caller's, set before anything is built */
	struct settings *settings;
	const char *path; /* of the configuration */
	struct ev_loop *loop;
	struct moment started;

	struct histogram late_us; /* delay of the control thread's timer */
	struct digest_ctx *digest;
	struct forwarder *forwarder;
	struct link *link;
	struct host *host;
	struct store *store;
	struct checkpoint *checkpoint;
	struct stats *stats;
	struct database *database;
	struct prober *prober;
	struct endpoint_scan *endpoint_scan;
	struct errors *errors;
	struct trace *trace;
	struct top *top;
	struct commands *commands;
	struct control *control;
	struct metrics *metrics;
};

#endif
