/*
 * popd's configuration file as a struct. The table in settings.c is the only list of keys: loading
 * and --dump-config walk it, and a check compares the manual with it. A reload (SIGHUP) loads a new
 * struct and copies the live keys from it; all else is const after load.
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
	struct ip4 ipv4; /* where popd listens; an address of this host */
	int64_t ayiya_port;
	int64_t heartbeat_port;
	char *tun; /* interface name */
	int64_t tun_mtu;
	bool routes;     /* route the PoP's prefixes to the TUN */
	char *dscp;      /* as written; settings_dscp parses it */
	int64_t workers; /* 0: one per core */
	int64_t max_tunnels;
	int64_t expiry;                /* seconds after which a silent dynamic tunnel is down */
	int64_t errors;                /* ICMPv6 errors of one kind per second, all tunnels */
	int64_t tunnel_errors;         /* the same, for each tunnel */
	int64_t report_interval;       /* seconds */
	int64_t statistics_interval;   /* seconds */
	bool offloads[OFFLOAD__COUNT]; /* by enum offload: switched on */
	int64_t sha1;                  /* enum sha1_engine */
	char *snapshot;                /* path; the endpoint journal is beside it */
	char *control;                 /* path of the control socket */
	struct config_listen metrics;  /* for Prometheus; an empty host: off */
	char *modules;                 /* path of the list of loaded kernel modules */
	bool allow_kernel_sit;         /* run although the kernel has protocol 41 too */
	int64_t log_level;             /* enum log_level */
	char *conninfo;                /* may hold a password */
	int64_t connect_timeout;       /* seconds */
	int64_t query_timeout;         /* seconds */
};

/* Initialises `out`, to be freed by settings_free. 0, or a negative enum err with
 * "<path>:<line>: <reason>" in `error`: then there is nothing to free. */
int settings_load(const char *path, struct settings *out, char error[static CONFIG_ERROR_TEXT])
	NONNULL MUSTCHECK;
void settings_dump(FILE *f, const struct settings *s) NONNULL;
void settings_free(struct settings *s) NONNULL; /* wipes conninfo */

/* Copies the live keys from `fresh` to `s`, and logs the name of every other key that differs. */
void settings_take_live(struct settings *s, const struct settings *fresh) NONNULL;

/* `dscp` for the data path. */
enum dscp settings_dscp(const struct settings *s) NONNULL;

/* `workers`, at most `max`; for 0 the number of cores that this process may use. */
unsigned settings_worker_count(const struct settings *s, unsigned max) NONNULL;

#endif
