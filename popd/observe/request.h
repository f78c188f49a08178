/* A request on the control socket, and the parts of popd that its command reads and acts on. */
#ifndef POPD_OBSERVE_REQUEST_H
#define POPD_OBSERVE_REQUEST_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/clock.h"

struct bpf_encap;
struct counters;
struct errors;
struct facts;
struct roam;
struct settings;
struct table;
struct top;
struct trace;

/* The parts that commands read and act on. All of them outlive the control socket's clients. */
struct commands {
	const struct settings *settings;
	struct table *table;
	struct counters *const *counters; /* of the workers, and of the kernel's program */
	size_t counter_sets;
	struct bpf_encap *encap; /* NULL: there is no program in the kernel */
	struct errors *errors;
	struct roam *roam;
	struct trace *trace; /* NULL until popd has started */
	struct top *top;
	void (*facts)(void *ctx, struct facts *out);
	void (*reload)(void *ctx); /* begins one; its result comes to commands_reload_answer */
	void *ctx;
};

struct request {
	const json_t *json;
	unsigned client;
	struct moment now;
};

#endif
