/* What popctl asks and how it shows the answers (jansson is named in popctl_json*.c only). */
#ifndef POPD_CTL_JSON_H
#define POPD_CTL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/cc.h"

enum { POPCTL_ARGUMENTS = 16 };

/* A command with its words, as checked by main.c. */
struct popctl_request {
	const char *command;  /* as the control socket knows it: "status", "tunnel list", ... */
	const char *argument; /* tunnel or level, or NULL */
	const char *const *arguments; /* all of them, */
	size_t n;                     /* so many */
	bool all, packet, reset;
	/* top */
	bool once;
	const char *by;              /* "bytes", "packets", "drops", or NULL */
	unsigned limit, interval_ms; /* of the tunnels, and between two tables */
	bool json;
	const char *pcap; /* a file, "-", or NULL */
	bool outer;       /* in it; else inner packets */
	unsigned count;   /* of packets to stop after; 0: never */
};

/* Asks over `fd` and prints the answer to `out`, a refusal to `err`. The exit status: 0 or 1. */
int popctl_run(int fd, const struct popctl_request *request, FILE *out, FILE *err) NONNULL;

#endif
