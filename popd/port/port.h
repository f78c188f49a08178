/*
 * A port receives and sends a worker's packets: a TUN queue, a UDP socket, a raw protocol-41
 * socket. How it does so (one packet per system call, many, coalesced ones) is hidden behind one
 * const table of functions: the worker knows jobs and outs only. A port belongs to one worker and
 * has receive buffers of its own; nothing is allocated after creation.
 *
 * `send` takes outs of the port's kind, keeps their order, never waits, and counts each packet that
 * the kernel refuses (pipeline_refused).
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
	/* Fills at most `max` jobs, whose data stays valid until the next call. Fewer than `max`
	 * and no backlog: the kernel has no more. Called between table_worker_enter and _leave. */
	size_t (*receive)(struct port *port, struct job *jobs, size_t max);
	/* Sends `n` (<= 2 * JOB_BATCH) outs. `now`: wall seconds, for the counters. NULL: the port
	 * only receives. */
	void (*send)(struct port *port, struct out *const *outs, size_t n, uint32_t now);
	void (*free)(struct port *port);
};

struct port {
	const struct port_ops *ops;
	int fd;
	bool receives;             /* `fd` is readable when packets wait; false: it only sends */
	enum job_source source;    /* of received packets */
	bool backlog;              /* it holds more packets, even if fd is not readable */
	bool gone;                 /* the kernel has deleted the device: the port is useless */
	struct pipeline *pipeline; /* that counts its drops */
};

/* ---- for back ends ---- */

/* The size of a buffer for one packet that is not merged; longer ones are invalid (the largest
 * inner packet has 1480 bytes). */
enum { PORT_PACKET = 2048 };

/* `count` buffers of `size` bytes, each with JOB_HEADROOM before and JOB_TAILROOM after it; pages
 * are touched when used. NULL: no memory. */
struct buffers;
struct buffers *buffers_create(size_t count, size_t size);
void buffers_free(struct buffers *b); /* NULL is fine */
/* The start of the i-th buffer's `size` bytes. */
uint8_t *buffers_at(const struct buffers *b, size_t i) NONNULL;

/* Packets that the kernel dropped at the port's socket, mostly because its receive queue was full.
 * Any thread; 0 when the kernel does not say. */
uint64_t port_queue_drops(const struct port *port) NONNULL;

/* Sets the fields of a received packet; the pipeline sets the rest of the job. */
static inline void job_fill(struct job *job, enum job_source source, uint8_t *data, size_t len,
			    struct endpoint4 from, uint8_t tos)
{
	job->source = source;
	job->data = data;
	job->len = (uint32_t)len;
	job->from = from;
	job->outer_tos = tos;
	job->gso = (struct gso){ 0, 0 };
	job->merged = false;
	job->tunnel = NULL;
}

#endif
