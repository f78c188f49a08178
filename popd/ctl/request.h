/*
 * What popctl is asked to do: a request, and the command that carries it out. The table of commands
 * is command.c's; the commands themselves know these types and no table.
 */
#ifndef POPD_CTL_REQUEST_H
#define POPD_CTL_REQUEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { COMMAND_ARGUMENTS = 16 };

/* A command with its arguments and options, as checked. Strings are argv's. */
struct request {
	const struct command *command;
	const char *arguments[COMMAND_ARGUMENTS];
	size_t n; /* arguments */
	const char *socket;
	bool json, all, packet, reset;
	/* top */
	bool once;
	const char *by;              /* "bytes", "packets", "drops", or NULL */
	unsigned limit, interval_ms; /* tunnels; between two tables */
	/* tunnel trace */
	const char *pcap; /* a file, "-", or NULL */
	bool outer;       /* packets in it; else inner packets */
	unsigned count;   /* packets to stop after; 0: never */
};

struct command_line;

struct command {
	const char *name;     /* as popd knows it: "status", "tunnel list", ... */
	const char *argument; /* its name in the usage, or NULL */
	const char *key;      /* the argument's in the request to popd */
	const char *need;     /* what is missing when there are fewer than `min` arguments */
	size_t min, max;      /* arguments */
	unsigned options;     /* that go with it */
	const char *help;
	/* Checks the options' values and puts them into the request: 0, or 2 after a sentence.
	 * NULL: no option has a value. */
	int (*take)(const struct command_line *line, struct request *r);
	/* Asks over `fd` and prints to `out`, refusals to `err`: the exit status, 0 or 1. */
	int (*run)(int fd, const struct request *r, FILE *out, FILE *err);
	void (*show)(const json_t *answer, const struct request *r, FILE *out); /* for `run` */
};

#endif
