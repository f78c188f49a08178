#include "popd/io/settings.h"

#include <sched.h>
#include <string.h>

#include "lib/err.h"
#include "lib/log.h"
#include "lib/sha1_many.h"

static const char *const level_names[] = { "error", "warn", "info", "debug", NULL };

#define AT(field) offsetof(struct settings, field)
static const struct config_key keys[] = {
	{ .section = "popd",
	  .name = "name",
	  .type = CONFIG_TEXT,
	  .offset = AT(name),
	  .min = 2,
	  .max = 32,
	  .help = "name of the PoP, as in the database" },
	{ .section = "popd",
	  .name = "ipv4",
	  .type = CONFIG_IP4,
	  .offset = AT(ipv4),
	  .help = "IPv4 address where tunnels end; must be one of this host" },
	{ .section = "popd",
	  .name = "ayiya_port",
	  .type = CONFIG_NUMBER,
	  .offset = AT(ayiya_port),
	  .min = 1,
	  .max = 65535,
	  .def = "5072",
	  .help = "UDP port of AYIYA" },
	{ .section = "popd",
	  .name = "heartbeat_port",
	  .type = CONFIG_NUMBER,
	  .offset = AT(heartbeat_port),
	  .min = 1,
	  .max = 65535,
	  .def = "3740",
	  .help = "UDP port of heartbeats" },
	{ .section = "popd",
	  .name = "tun",
	  .type = CONFIG_TEXT,
	  .offset = AT(tun),
	  .min = 1,
	  .max = 15,
	  .def = "sixxs",
	  .help = "name of the TUN interface" },
	{ .section = "popd",
	  .name = "mtu",
	  .type = CONFIG_NUMBER,
	  .offset = AT(tun_mtu),
	  .min = 1280,
	  .max = 1480,
	  .def = "1480",
	  .help = "MTU of the TUN; no tunnel may have a larger one" },
	{ .section = "popd",
	  .name = "routes",
	  .type = CONFIG_BOOL,
	  .offset = AT(routes),
	  .def = "yes",
	  .help = "route the PoP's prefixes to the TUN" },
	{ .section = "popd",
	  .name = "workers",
	  .type = CONFIG_NUMBER,
	  .offset = AT(workers),
	  .min = 0,
	  .max = 64,
	  .def = "0",
	  .help = "forwarding threads; 0: one per core" },
	{ .section = "popd",
	  .name = "max_tunnels",
	  .type = CONFIG_NUMBER,
	  .offset = AT(max_tunnels),
	  .min = 1,
	  .max = 4194304,
	  .def = "65536",
	  .help = "room for so many tunnels; memory is used only for those that exist" },
	{ .section = "popd",
	  .name = "expiry",
	  .type = CONFIG_NUMBER,
	  .offset = AT(expiry),
	  .min = 30,
	  .max = 86400,
	  .def = "360",
	  .live = true,
	  .help = "seconds without a valid packet or beat until an AYIYA or heartbeat tunnel is down" },
	{ .section = "popd",
	  .name = "errors_per_second",
	  .type = CONFIG_NUMBER,
	  .offset = AT(errors),
	  .min = 1,
	  .max = 1000000,
	  .def = "1000",
	  .help = "ICMPv6 errors a second, all tunnels together" },
	{ .section = "popd",
	  .name = "tunnel_errors_per_second",
	  .type = CONFIG_NUMBER,
	  .offset = AT(tunnel_errors),
	  .min = 1,
	  .max = 1000000,
	  .def = "20",
	  .help = "ICMPv6 errors a second for any one tunnel" },
	{ .section = "popd",
	  .name = "report_interval",
	  .type = CONFIG_NUMBER,
	  .offset = AT(report_interval),
	  .min = 1,
	  .max = 40,
	  .def = "10",
	  .live = true,
	  .help = "seconds between reports to the database, which takes a PoP for down after 45 s without one" },
	{ .section = "popd",
	  .name = "statistics_interval",
	  .type = CONFIG_NUMBER,
	  .offset = AT(statistics_interval),
	  .min = 1,
	  .max = 3600,
	  .def = "60",
	  .live = true,
	  .help = "seconds between batches of per-tunnel statistics" },
#define X(e, key_name, text)                    \
	{ .section = "popd",                    \
	  .name = key_name,                     \
	  .type = CONFIG_BOOL,                  \
	  .offset = AT(offloads[OFFLOAD_##e]),  \
	  .def = "yes",                         \
	  .help = text },
	OFFLOAD_LIST(X)
#undef X
	{ .section = "popd",
	  .name = "sha1",
	  .type = CONFIG_CHOICE,
	  .offset = AT(sha1),
	  .choices = sha1_engine_names,
	  .def = "auto",
	  .help = "widest engine for signatures: auto, openssl, avx2, sha-ni or avx512" },
	{ .section = "popd",
	  .name = "snapshot",
	  .type = CONFIG_TEXT,
	  .offset = AT(snapshot),
	  .min = 1,
	  .max = 4000,
	  .def = "/var/lib/popd/snapshot",
	  .help = "file to start from when the database is away; the endpoint journal lies beside it" },
	{ .section = "popd",
	  .name = "control",
	  .type = CONFIG_TEXT,
	  .offset = AT(control),
	  .min = 1,
	  .max = 107,
	  .def = "/run/popd/popd.sock",
	  .help = "unix socket for popctl" },
	{ .section = "popd",
	  .name = "modules",
	  .type = CONFIG_TEXT,
	  .offset = AT(modules),
	  .min = 1,
	  .max = 4000,
	  .def = "/proc/modules",
	  .help = "list of loaded kernel modules, read once at start to find another owner of protocol 41" },
	{ .section = "popd",
	  .name = "log_level",
	  .type = CONFIG_CHOICE,
	  .offset = AT(log_level),
	  .choices = level_names,
	  .def = "info",
	  .live = true,
	  .help = "error, warn, info or debug" },
	{ .section = "database",
	  .name = "conninfo",
	  .type = CONFIG_SECRET,
	  .offset = AT(conninfo),
	  .min = 1,
	  .max = 4000,
	  .help = "libpq connection string" },
	{ .section = "database",
	  .name = "connect_timeout",
	  .type = CONFIG_NUMBER,
	  .offset = AT(connect_timeout),
	  .min = 1,
	  .max = 300,
	  .def = "5",
	  .help = "seconds until a connection attempt is given up" },
	{ .section = "database",
	  .name = "query_timeout",
	  .type = CONFIG_NUMBER,
	  .offset = AT(query_timeout),
	  .min = 1,
	  .max = 300,
	  .def = "10",
	  .help = "seconds until an unanswered statement is given up" },
};

/* What config.h's ranges cannot say. */
static int check(const char *path, const struct settings *s, char *error)
{
	const char *why = NULL;

	if (s->name[0] < 'a' || s->name[0] > 'z' ||
	    strspn(s->name, "abcdefghijklmnopqrstuvwxyz0123456789") != strlen(s->name))
		why = "name must be lower-case letters and digits, a letter first";
	else if (strchr(s->tun, '/') || strchr(s->tun, ' ') || strchr(s->tun, '%'))
		why = "tun is not an interface name";
	else if (s->ayiya_port == s->heartbeat_port)
		why = "ayiya_port and heartbeat_port must differ";
	else if (ip4_is_martian(s->ipv4) && s->ipv4.v >> 24 != 127)
		why = "ipv4 is not an address that a tunnel can end at";
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

static bool same_text(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

void settings_take_live(struct settings *s, const struct settings *fresh)
{
	const struct {
		const char *name;
		bool same;
	} fixed[] = {
		{ "name", same_text(s->name, fresh->name) },
		{ "ipv4", s->ipv4.v == fresh->ipv4.v },
		{ "ayiya_port", s->ayiya_port == fresh->ayiya_port },
		{ "heartbeat_port", s->heartbeat_port == fresh->heartbeat_port },
		{ "tun", same_text(s->tun, fresh->tun) },
		{ "mtu", s->tun_mtu == fresh->tun_mtu },
		{ "routes", s->routes == fresh->routes },
		{ "workers", s->workers == fresh->workers },
		{ "max_tunnels", s->max_tunnels == fresh->max_tunnels },
		{ "errors_per_second", s->errors == fresh->errors },
		{ "tunnel_errors_per_second", s->tunnel_errors == fresh->tunnel_errors },
		{ "sha1", s->sha1 == fresh->sha1 },
#define X(e, name, text) { name, s->offloads[OFFLOAD_##e] == fresh->offloads[OFFLOAD_##e] },
		OFFLOAD_LIST(X)
#undef X
		{ "snapshot", same_text(s->snapshot, fresh->snapshot) },
		{ "control", same_text(s->control, fresh->control) },
		{ "conninfo", same_text(s->conninfo, fresh->conninfo) },
		{ "connect_timeout", s->connect_timeout == fresh->connect_timeout },
		{ "query_timeout", s->query_timeout == fresh->query_timeout },
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (!fixed[i].same)
			log_warnx("%s has changed in the configuration; it takes a restart", fixed[i].name);
	s->expiry = fresh->expiry;
	s->report_interval = fresh->report_interval;
	s->statistics_interval = fresh->statistics_interval;
	s->log_level = fresh->log_level;
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
