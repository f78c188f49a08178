/*
 * popd's configuration file as a struct. The table in settings.c is the one list of keys: loading,
 * --dump-config and the manual walk it. Const after load; a reload (SIGHUP) builds a new one and
 * takes the live keys out of it.
 */
#ifndef POPD_SETTINGS_H
#define POPD_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"
#include "lib/config.h"
#include "lib/ip.h"
#include "popd/core/offload.h"
#include "popd/core/job.h"

struct settings {
	char *name;      /* of the PoP, as in the database */
	struct ip4 ipv4; /* where the tunnels end; an address of this host */
	int64_t ayiya_port;
	int64_t heartbeat_port;
	char *tun; /* interface name */
	int64_t tun_mtu;
	bool routes;     /* route the PoP's prefixes to the TUN */
	char *dscp;      /* as written; settings_dscp knows what it means */
	int64_t workers; /* 0: one per core */
	int64_t max_tunnels;
	int64_t expiry;        /* seconds until a silent dynamic tunnel is down */
	int64_t errors;        /* ICMPv6 errors a second, all tunnels together */
	int64_t tunnel_errors; /* the same, one tunnel */
	int64_t report_interval;
	int64_t statistics_interval;
	bool offloads[OFFLOAD__COUNT]; /* wanted, by enum offload */
	int64_t sha1;                  /* enum sha1_engine */
	char *snapshot;                /* path; the endpoint journal lies beside it */
	char *control;                 /* path of the control socket */
	struct config_listen metrics;  /* where Prometheus may ask; an empty host: nowhere */
	char *modules;                 /* list of loaded kernel modules */
	int64_t log_level;             /* enum log_level */
	char *conninfo;
	int64_t connect_timeout;
	int64_t query_timeout;
};

/* 0, or a negative enum err with "<path>:<line>: <reason>" in `error`. `out` need not be
 * initialised; free it with settings_free only after success. */
int settings_load(const char *path, struct settings *out, char error[static CONFIG_ERROR_TEXT])
	NONNULL MUSTCHECK;
void settings_dump(FILE *f, const struct settings *s) NONNULL;
void settings_free(struct settings *s) NONNULL;

/* Moves what a running popd can change (the keys marked live) from `fresh` to `s`, and names in a
 * log line each the others that differ. */
void settings_take_live(struct settings *s, const struct settings *fresh) NONNULL;

/* `dscp` as the data path has it. */
enum dscp settings_dscp(const struct settings *s) NONNULL;

/* `workers`, with 0 resolved to the number of cores this process may use, at most `max`. */
unsigned settings_worker_count(const struct settings *s, unsigned max) NONNULL;

#endif
