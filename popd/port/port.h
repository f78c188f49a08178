/*
 * A port is a place where a worker's packets come in or go out: a TUN queue, a UDP socket, a raw
 * protocol-41 socket. What it does with the kernel (one packet a call, many, coalesced ones) is its
 * own affair, behind one const table of functions: the worker's loop knows jobs and outs only, so
 * back ends may be exchanged. A port belongs to one worker and has its own fixed receive buffers;
 * nothing is allocated after creation.
 *
 * Every `send` takes outs of the port's own kind, keeps their order, never waits, and counts each
 * packet that the kernel refuses (pipeline_refused).
 */
#ifndef POPD_PORT_PORT_H
#define POPD_PORT_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/ip.h"
#include "popd/core/pipeline.h"

struct port;

struct port_ops {
	const char *name;
	/* Fills at most `max` jobs; what they point to stays until the next call. Fewer than `max`
	 * and no backlog: nothing was left. Called between table_worker_enter and _leave. */
	size_t (*receive)(struct port *port, struct job *jobs, size_t max);
	/* Writes `n` (<= 2 * JOB_BATCH) outs. `now`: wall seconds, for the counters. */
	void (*send)(struct port *port, struct out *const *outs, size_t n, uint32_t now);
	void (*free)(struct port *port);
};

struct port {
	const struct port_ops *ops;
	int fd;
	/* `fd` becomes readable when there is something to receive; else the port only sends */
	bool receives;
	enum job_source source;    /* of what it receives */
	bool backlog;              /* there is more to receive, whether fd is readable or not */
	bool gone;                 /* the kernel object under it has vanished: no use to go on */
	struct pipeline *pipeline; /* for counting */
};

/* ---- for back ends ---- */

/* Room for one packet as it travels on a wire; larger ones cannot be valid (the largest inner
 * packet is 1480 bytes). */
enum { PORT_PACKET = 2048 };

/* `count` buffers of `size` bytes with JOB_HEADROOM before and JOB_TAILROOM after each; pages are
 * touched when used. NULL: no memory. */
struct buffers;
struct buffers *buffers_create(size_t count, size_t size);
void buffers_free(struct buffers *b); /* NULL is fine */
/* The start of the i-th buffer's `size` bytes. */
uint8_t *buffers_at(const struct buffers *b, size_t i) NONNULL;

/* Packets that the kernel threw away at the port's socket, nearly all since its receive queue was
 * full. Any thread; 0 when the kernel does not tell. */
uint64_t port_queue_drops(const struct port *port) NONNULL;

/* Sets all that a received packet says; the rest of the job is the pipeline's. */
static inline void job_fill(struct job *job, enum job_source source, uint8_t *data, size_t len,
			    struct endpoint4 from, uint8_t tos)
{
	job->source = source;
	job->data = data;
	job->len = (uint32_t)len;
	job->from = from;
	job->outer_tos = tos;
	job->gso = (struct gso){ 0, 0 };
	job->tunnel = NULL;
}

#endif
