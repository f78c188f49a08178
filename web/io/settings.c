#include "web/io/settings.h"

#include <stdio.h>
#include <string.h>

#include "lib/err.h"
#include "lib/log.h"

static const char *const level_names[] = { "error", "warn", "info", "debug", NULL };

#define AT(field) offsetof(struct settings, field)
static const struct config_key keys[] = {
	{ .section = "webd",
	  .name = "listen",
	  .type = CONFIG_LISTEN,
	  .offset = AT(listen),
	  .def = "127.0.0.1:8080",
	  .help = "address and port to serve HTTP on" },
	{ .section = "webd",
	  .name = "url",
	  .type = CONFIG_TEXT,
	  .offset = AT(url),
	  .min = 8,
	  .max = 200,
	  .def = "http://127.0.0.1:8080",
	  .live = true,
	  .help = "base address of the site, as visitors see it" },
	{ .section = "webd",
	  .name = "title",
	  .type = CONFIG_TEXT,
	  .offset = AT(title),
	  .min = 1,
	  .max = 100,
	  .def = "IPv6 tunnel broker",
	  .live = true,
	  .help = "name of the site, on every page" },
	{ .section = "webd",
	  .name = "fronts",
	  .type = CONFIG_TEXT,
	  .offset = AT(fronts_text),
	  .max = 2000,
	  .def = "",
	  .live = true,
	  .help = "addresses and prefixes of web servers in front, whose X-Forwarded-For is believed" },
	{ .section = "webd",
	  .name = "log_level",
	  .type = CONFIG_CHOICE,
	  .offset = AT(log_level),
	  .choices = level_names,
	  .def = "info",
	  .live = true,
	  .help = "error, warn, info or debug (which has a line for each request)" },
	{ .section = "database",
	  .name = "conninfo",
	  .type = CONFIG_SECRET,
	  .offset = AT(conninfo),
	  .min = 1,
	  .max = 4000,
	  .def = "dbname=broker user=webd",
	  .live = true,
	  .help = "libpq connection string" },
	{ .section = "database",
	  .name = "connect_timeout",
	  .type = CONFIG_NUMBER,
	  .offset = AT(connect_timeout),
	  .min = 1,
	  .max = 30,
	  .def = "5",
	  .live = true,
	  .help = "seconds after which an attempt to connect fails" },
	{ .section = "database",
	  .name = "query_timeout",
	  .type = CONFIG_NUMBER,
	  .offset = AT(query_timeout),
	  .min = 1,
	  .max = 30,
	  .def = "5",
	  .live = true,
	  .help = "seconds after which an unanswered query fails" },
	{ .section = "database",
	  .name = "refresh",
	  .type = CONFIG_NUMBER,
	  .offset = AT(refresh),
	  .min = 1,
	  .max = 20,
	  .def = "2",
	  .live = true,
	  .help = "seconds between two reads of the database while visitors come" },
	{ .section = "database",
	  .name = "idle_refresh",
	  .type = CONFIG_NUMBER,
	  .offset = AT(idle_refresh),
	  .min = 1,
	  .max = 20,
	  .def = "10",
	  .live = true,
	  .help = "the same after a minute without visitors" },
	{ .section = "limits",
	  .name = "connections",
	  .type = CONFIG_NUMBER,
	  .offset = AT(connections),
	  .min = 1,
	  .max = 10000,
	  .def = "512",
	  .help = "connections at a time; for one more the oldest without a request is closed" },
	{ .section = "limits",
	  .name = "connections_per_address",
	  .type = CONFIG_NUMBER,
	  .offset = AT(connections_per_address),
	  .min = 0,
	  .max = 10000,
	  .def = "64",
	  .live = true,
	  .help = "connections at a time from one IPv4 address or IPv6 /64; 0: no limit" },
	{ .section = "limits",
	  .name = "connections_per_56",
	  .type = CONFIG_NUMBER,
	  .offset = AT(connections_per_56),
	  .min = 0,
	  .max = 10000,
	  .def = "96",
	  .live = true,
	  .help = "the same from one IPv6 /56" },
	{ .section = "limits",
	  .name = "connections_per_48",
	  .type = CONFIG_NUMBER,
	  .offset = AT(connections_per_48),
	  .min = 0,
	  .max = 10000,
	  .def = "128",
	  .live = true,
	  .help = "the same from one IPv6 /48" },
	{ .section = "limits",
	  .name = "request_size",
	  .type = CONFIG_NUMBER,
	  .offset = AT(request_size),
	  .min = 4096,
	  .max = 131072,
	  .def = "16384",
	  .help = "bytes of memory for the headers of a request and its answer" },
	{ .section = "limits",
	  .name = "request_timeout",
	  .type = CONFIG_NUMBER,
	  .offset = AT(request_timeout),
	  .min = 1,
	  .max = 300,
	  .def = "10",
	  .live = true,
	  .help = "seconds a client has to send its next request" },
	{ .section = "limits",
	  .name = "response_timeout",
	  .type = CONFIG_NUMBER,
	  .offset = AT(response_timeout),
	  .min = 1,
	  .max = 3600,
	  .def = "60",
	  .live = true,
	  .help = "seconds a client has to read its answer" },
};

/* Checks, and fills in, what the table cannot express. NULL: nothing is wrong. */
static const char *settings_fault(struct settings *s)
{
	if (strncmp(s->url, "http://", 7) != 0 && strncmp(s->url, "https://", 8) != 0)
		return "url must begin with http:// or https://";
	if (strpbrk(s->url, " \t\"<>\\^`{|}#?"))
		return "url has a character that no base URL may have";
	if (s->idle_refresh < s->refresh)
		return "idle_refresh must not be less than refresh";
	if (fronts_parse(s->fronts_text, &s->fronts) != 0)
		return "fronts is a list of at most 32 addresses and prefixes, such as 192.0.2.1, "
		       "2001:db8::/64";
	return NULL;
}

int settings_load(const char *path, struct settings *out, char error[static CONFIG_ERROR_TEXT])
{
	*out = (struct settings){ 0 };
	int err = config_load(path, keys, ARRAY_LEN(keys), out, error);
	if (err)
		return err;
	const char *fault = settings_fault(out);
	if (fault) {
		snprintf(error, CONFIG_ERROR_TEXT, "%.400s: %s", path, fault);
		settings_free(out);
		return -ERR_RANGE;
	}
	for (size_t len = strlen(out->url); len > 0 && out->url[len - 1] == '/'; len--)
		out->url[len - 1] = '\0';
	return 0;
}

void settings_dump(FILE *f, const struct settings *s)
{
	config_dump(f, keys, ARRAY_LEN(keys), s);
}

void settings_free(struct settings *s)
{
	config_free(keys, ARRAY_LEN(keys), s);
}

void settings_swap(struct settings *s, struct settings *fresh)
{
	if (strcmp(s->listen.host, fresh->listen.host) != 0 || s->listen.port != fresh->listen.port)
		log_warnx("listen has changed; restart webd to use the new address");
	if (s->connections != fresh->connections)
		log_warnx("connections has changed; restart webd to use the new limit");
	if (s->request_size != fresh->request_size)
		log_warnx("request_size has changed; restart webd to use the new size");
	fresh->listen = s->listen;
	fresh->connections = s->connections;
	fresh->request_size = s->request_size;
	settings_free(s);
	*s = *fresh;
	*fresh = (struct settings){ 0 };
}
