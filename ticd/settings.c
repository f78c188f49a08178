#include "ticd/settings.h"

#include <stdlib.h>
#include <string.h>

#include "lib/ip.h"

static const char *const log_levels[] = { "error", "warn", "info", "debug", NULL };

#define AT(field) offsetof(struct settings, field)

static const struct config_key keys[] = {
	{ "ticd", "listen", CONFIG_LISTEN, AT(listen), 0, 0, NULL, "0.0.0.0:3874", false,
	  "address and TCP port; [::]:3874 accepts IPv4 as well" },
	{ "ticd", "service", CONFIG_TEXT, AT(service), 1, 100, NULL, "TIC Service", true,
	  "name of the service in the greeting" },
	{ "ticd", "url", CONFIG_TEXT, AT(url), 1, 200, NULL, "http://127.0.0.1:8080", true,
	  "base URL of the web site, for the links in replies" },
	{ "ticd", "fronts", CONFIG_TEXT, AT(fronts_text), 0, 2000, NULL, "", true,
	  "addresses and prefixes of proxies, which begin every connection with the PROXY protocol" },
	{ "ticd", "log_level", CONFIG_CHOICE, AT(log_level), 0, 0, log_levels, "info", true,
	  "error, warn, info or debug" },
	{ "database", "conninfo", CONFIG_SECRET, AT(conninfo), 1, 2000, NULL,
	  "dbname=broker user=ticd", false, "connection string of PostgreSQL (libpq)" },
	{ "database", "connections", CONFIG_NUMBER, AT(db_connections), 1, 64, NULL, "4", false,
	  "connections to PostgreSQL" },
	{ "database", "query_timeout", CONFIG_NUMBER, AT(query_timeout), 1, 60, NULL, "5", false,
	  "seconds until a query fails and its client gets an error" },
	{ "database", "connect_timeout", CONFIG_NUMBER, AT(connect_timeout), 1, 60, NULL, "5",
	  false, "seconds until an attempt to connect fails" },
	{ "tls", "certificate", CONFIG_TEXT, AT(certificate), 0, 1000, NULL, "", true,
	  "PEM file with the certificate and its chain; empty: no TLS" },
	{ "tls", "key", CONFIG_TEXT, AT(key), 0, 1000, NULL, "", true,
	  "PEM file with the private key" },
	{ "tls", "old_versions", CONFIG_BOOL, AT(old_versions), 0, 0, NULL, "no", true,
	  "allow TLS 1.0 and 1.1, for old routers" },
	{ "limits", "connections", CONFIG_NUMBER, AT(connections), 1, 1000000, NULL, "10000", true,
	  "concurrent connections" },
	{ "limits", "connections_per_address", CONFIG_NUMBER, AT(connections_per_address), 1,
	  1000000, NULL, "50", true,
	  "concurrent connections from one IPv4 address or one IPv6 /64" },
	{ "limits", "connections_per_56", CONFIG_NUMBER, AT(connections_per_56), 0, 1000000, NULL,
	  "100", true, "concurrent connections from one IPv6 /56; 0: no limit" },
	{ "limits", "connections_per_48", CONFIG_NUMBER, AT(connections_per_48), 0, 1000000, NULL,
	  "200", true, "concurrent connections from one IPv6 /48; 0: no limit" },
	{ "limits", "login_timeout", CONFIG_NUMBER, AT(login_timeout), 1, 3600, NULL, "60", true,
	  "seconds a client has to log in" },
	{ "limits", "idle_timeout", CONFIG_NUMBER, AT(idle_timeout), 1, 86400, NULL, "300", true,
	  "seconds without a command from the client" },
	{ "limits", "write_timeout", CONFIG_NUMBER, AT(write_timeout), 1, 3600, NULL, "30", true,
	  "seconds a client may leave a reply unread" },
	{ "isk", "daily", CONFIG_BOOL, AT(daily), 0, 0, NULL, "yes", true,
	  "run the daily ISK job (any number of servers may run it)" },
};

static void strip_slashes(char *url)
{
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		url[--len] = '\0';
}

struct settings *settings_load(const char *path, char error[static CONFIG_ERROR_TEXT])
{
	struct settings *settings = calloc(1, sizeof(*settings));

	if (!settings) {
		snprintf(error, CONFIG_ERROR_TEXT, "%s: out of memory", path);
		return NULL;
	}
	if (config_load(path, keys, ARRAY_LEN(keys), settings, error) != 0) {
		free(settings);
		return NULL;
	}
	if ((settings->certificate[0] == '\0') != (settings->key[0] == '\0')) {
		snprintf(error, CONFIG_ERROR_TEXT,
			 "%s: [tls] certificate and key belong together: set both or none", path);
		settings_free(settings);
		return NULL;
	}
	if (fronts_parse(settings->fronts_text, &settings->fronts) != 0) {
		snprintf(
			error, CONFIG_ERROR_TEXT,
			"%s: [ticd] fronts is a list of at most %d addresses and prefixes, such as 192.0.2.1, 2001:db8::/64",
			path, FRONTS_MAX);
		settings_free(settings);
		return NULL;
	}
	strip_slashes(settings->url);
	return settings;
}

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	config_free(keys, ARRAY_LEN(keys), settings);
	free(settings);
}

void settings_dump(FILE *f, const struct settings *settings)
{
	config_dump(f, keys, ARRAY_LEN(keys), settings);
}

static bool is_same(const struct config_key *key, const struct settings *a,
		    const struct settings *b)
{
	const char *in_a = (const char *)a + key->offset, *in_b = (const char *)b + key->offset;

	switch (key->type) {
	case CONFIG_TEXT:
	case CONFIG_SECRET:
		return strcmp(*(char *const *)(const void *)in_a,
			      *(char *const *)(const void *)in_b) == 0;
	case CONFIG_NUMBER:
	case CONFIG_CHOICE:
		return memcmp(in_a, in_b, sizeof(int64_t)) == 0;
	case CONFIG_BOOL:
		return *(const bool *)in_a == *(const bool *)in_b;
	case CONFIG_IP4:
		return memcmp(in_a, in_b, sizeof(struct ip4)) == 0;
	case CONFIG_IP6:
		return memcmp(in_a, in_b, sizeof(struct ip6)) == 0;
	case CONFIG_LISTEN:
	case CONFIG_LISTEN_OR_OFF: {
		const struct config_listen *la = (const void *)in_a, *lb = (const void *)in_b;

		return strcmp(la->host, lb->host) == 0 && la->port == lb->port;
	}
	}
	return false;
}

void settings_differences(const struct settings *old, const struct settings *fresh,
			  void (*changed)(const char *key))
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		char name[64];

		if (keys[i].live || is_same(&keys[i], old, fresh))
			continue;
		snprintf(name, sizeof(name), "%s.%s", keys[i].section, keys[i].name);
		changed(name);
	}
}
