#include "popd/settings.h"

#include <sched.h>
#include <string.h>

#include "lib/err.h"
#include "lib/log.h"
#include "lib/num.h"
#include "lib/sha1_many.h"

static const char *const level_names[] = { "error", "warn", "info", "debug", NULL };

#define AT(field) offsetof(struct settings, field)
static const struct config_key keys[] = {
	{ "popd", "name", CONFIG_TEXT, AT(name), 2, 32, NULL, NULL, false,
	  "name of the PoP, as in the database" },
	{ "popd", "ipv4", CONFIG_IP4, AT(ipv4), 0, 0, NULL, NULL, false,
	  "IPv4 address of this host that clients send to" },
	{ "popd", "ayiya_port", CONFIG_NUMBER, AT(ayiya_port), 1, 65535, NULL, "5072", false,
	  "UDP port for AYIYA" },
	{ "popd", "heartbeat_port", CONFIG_NUMBER, AT(heartbeat_port), 1, 65535, NULL, "3740",
	  false, "UDP port for heartbeats" },
	{ "popd", "tun", CONFIG_TEXT, AT(tun), 1, 15, NULL, "sixxs", false,
	  "name of the TUN interface" },
	{ "popd", "mtu", CONFIG_NUMBER, AT(tun_mtu), 1280, 1480, NULL, "1480", false,
	  "MTU of the TUN interface; no tunnel has a larger one" },
	{ "popd", "routes", CONFIG_BOOL, AT(routes), 0, 0, NULL, "yes", false,
	  "route the PoP's prefixes to the TUN interface" },
	{ "popd", "dscp", CONFIG_TEXT, AT(dscp), 1, 4, NULL, "copy", false,
	  "DSCP of the IPv4 packets to clients: copy (of the inner packet), zero, or 0 to 63" },
	{ "popd", "workers", CONFIG_NUMBER, AT(workers), 0, 64, NULL, "0", false,
	  "number of forwarding threads; 0: one for each core" },
	{ "popd", "max_tunnels", CONFIG_NUMBER, AT(max_tunnels), 1, 4194304, NULL, "65536", false,
	  "largest number of tunnels; memory is used only for those that exist" },
	{ "popd", "expiry", CONFIG_NUMBER, AT(expiry), 30, 86400, NULL, "360", true,
	  "seconds without a valid packet or heartbeat after which an AYIYA or heartbeat tunnel is down" },
	{ "popd", "errors_per_second", CONFIG_NUMBER, AT(errors), 1, 1000000, NULL, "1000", false,
	  "ICMPv6 errors of one kind sent per second, for all tunnels together" },
	{ "popd", "tunnel_errors_per_second", CONFIG_NUMBER, AT(tunnel_errors), 1, 1000000, NULL,
	  "20", false, "ICMPv6 errors of one kind sent per second, for each tunnel" },
	{ "popd", "report_interval", CONFIG_NUMBER, AT(report_interval), 1, 40, NULL, "10", true,
	  "seconds between reports to the database; a PoP without one for 45 s is listed as down" },
	{ "popd", "statistics_interval", CONFIG_NUMBER, AT(statistics_interval), 1, 3600, NULL,
	  "60", true, "seconds between batches of the tunnels' statistics" },
#define X(e, name, standard, text) \
	{ "popd", name, CONFIG_BOOL, AT(offloads[OFFLOAD_##e]), 0, 0, NULL, standard, false, text },
	OFFLOAD_LIST(X)
#undef X
		{ "popd", "sha1", CONFIG_CHOICE, AT(sha1), 0, 0, sha1_engine_names, "auto", false,
		  "widest SHA-1 engine used for signatures: auto, openssl, avx2, sha-ni or avx512" },
	{ "popd", "snapshot", CONFIG_TEXT, AT(snapshot), 1, 4000, NULL, "/var/lib/popd/snapshot",
	  false,
	  "file from which popd starts without the database; the endpoint journal is beside it" },
	{ "popd", "control", CONFIG_TEXT, AT(control), 1, 107, NULL, "/run/popd/popd.sock", false,
	  "unix socket for popctl" },
	{ "popd", "metrics", CONFIG_LISTEN_OR_OFF, AT(metrics), 0, 0, NULL, "127.0.0.1:9641", false,
	  "address and port where Prometheus reads /metrics over HTTP, without a password; or off" },
	{ "popd", "modules", CONFIG_TEXT, AT(modules), 1, 4000, NULL, "/proc/modules", false,
	  "list of loaded kernel modules, read to find another user of protocol 41" },
	{ "popd", "allow_kernel_sit", CONFIG_BOOL, AT(allow_kernel_sit), 0, 0, NULL, "no", false,
	  "run although the kernel has protocol 41 too (sit, tunnel4); see popd(8)" },
	{ "popd", "log_level", CONFIG_CHOICE, AT(log_level), 0, 0, level_names, "info", true,
	  "least severe messages that are logged: error, warn, info or debug" },
	{ "database", "conninfo", CONFIG_SECRET, AT(conninfo), 1, 4000, NULL, NULL, false,
	  "libpq connection string of the broker's database" },
	{ "database", "connect_timeout", CONFIG_NUMBER, AT(connect_timeout), 1, 300, NULL, "5",
	  false, "seconds after which a connection attempt has failed" },
	{ "database", "query_timeout", CONFIG_NUMBER, AT(query_timeout), 1, 300, NULL, "10", false,
	  "seconds after which an unanswered statement has failed" },
};

/* 0 or -ERR_FORMAT. */
static int dscp_parse(const char *text, enum dscp *out)
{
	uint64_t number;

	if (strcmp(text, "copy") == 0)
		*out = DSCP_COPY;
	else if (strcmp(text, "zero") == 0)
		*out = DSCP_FIXED;
	else if (num_parse_u64(text, strlen(text), 0, DSCP_LAST - DSCP_FIXED, &number) == 0)
		*out = (enum dscp)(DSCP_FIXED + number);
	else
		return -ERR_FORMAT;
	return 0;
}

/* Checks what the ranges in the table cannot express. 0 or -ERR_RANGE with `error`. */
static int check(const char *path, const struct settings *s, char *error)
{
	const char *why = NULL;
	enum dscp dscp;

	if (s->name[0] < 'a' || s->name[0] > 'z' ||
	    strspn(s->name, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(s->name))
		why = "name must be lower-case letters and digits and begin with a letter";
	else if (strchr(s->tun, '/') || strchr(s->tun, ' ') || strchr(s->tun, '%'))
		why = "tun must be an interface name, without '/', '%' or a blank";
	else if (s->ayiya_port == s->heartbeat_port)
		why = "ayiya_port and heartbeat_port must differ";
	else if (s->metrics.host[0] && s->metrics.port == 0)
		why = "metrics must have a port other than 0";
	else if (ip4_is_martian(s->ipv4) && s->ipv4.v >> 24 != 127)
		why = "ipv4 must be a unicast address";
	else if (dscp_parse(s->dscp, &dscp) != 0)
		why = "dscp must be copy, zero or a number from 0 to 63";
	if (!why)
		return 0;
	snprintf(error, CONFIG_ERROR_TEXT, "%s: %s", path, why);
	return -ERR_RANGE;
}

int settings_load(const char *path, struct settings *out, char error[static CONFIG_ERROR_TEXT])
{
	*out = (struct settings){ 0 };
	int err = config_load(path, keys, ARRAY_LEN(keys), out, error);
	if (err)
		return err;
	err = check(path, out, error);
	if (err)
		settings_free(out);
	return err;
}

void settings_dump(FILE *f, const struct settings *s)
{
	config_dump(f, keys, ARRAY_LEN(keys), s);
}

void settings_free(struct settings *s)
{
	config_free(keys, ARRAY_LEN(keys), s);
}

static const void *field(const struct settings *s, const struct config_key *key)
{
	return (const char *)s + key->offset;
}

static bool is_same(const struct config_key *key, const struct settings *a,
		    const struct settings *b)
{
	switch (key->type) {
	case CONFIG_TEXT:
	case CONFIG_SECRET:
		return strcmp(*(char *const *)field(a, key), *(char *const *)field(b, key)) == 0;
	case CONFIG_BOOL:
		return memcmp(field(a, key), field(b, key), sizeof(bool)) == 0;
	case CONFIG_IP4:
		return memcmp(field(a, key), field(b, key), sizeof(struct ip4)) == 0;
	case CONFIG_LISTEN_OR_OFF: {
		const struct config_listen *in_a = field(a, key), *in_b = field(b, key);
		return strcmp(in_a->host, in_b->host) == 0 && in_a->port == in_b->port;
	}
	default:
		return memcmp(field(a, key), field(b, key), sizeof(int64_t)) == 0;
	}
}

/* Every live key is an int64_t. */
static void take(const struct config_key *key, struct settings *s, const struct settings *fresh)
{
	memcpy((char *)s + key->offset, field(fresh, key), sizeof(int64_t));
}

void settings_take_live(struct settings *s, const struct settings *fresh)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (keys[i].live)
			take(&keys[i], s, fresh);
		else if (!is_same(&keys[i], s, fresh))
			log_warnx(
				"%s has changed in the configuration file and takes effect when popd is restarted",
				keys[i].name);
	}
}

enum dscp settings_dscp(const struct settings *s)
{
	enum dscp dscp = DSCP_COPY;

	(void)dscp_parse(s->dscp, &dscp); /* settings_load has checked it */
	return dscp;
}

unsigned settings_worker_count(const struct settings *s, unsigned max)
{
	unsigned n = (unsigned)s->workers;

	if (n == 0) {
		cpu_set_t set;
		n = sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
	}
	return n < 1 ? 1 : n > max ? max : n;
}
