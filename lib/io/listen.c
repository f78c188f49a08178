#include "lib/io/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

static socklen_t address_fill(const struct config_listen *at, union address *out)
{
	memset(out, 0, sizeof(*out));
	if (at->is_ip6) {
		out->ip6.sin6_family = AF_INET6;
		out->ip6.sin6_port = htons(at->port);
		return inet_pton(AF_INET6, at->host, &out->ip6.sin6_addr) == 1 ? sizeof(out->ip6)
									       : 0;
	}
	out->ip4.sin_family = AF_INET;
	out->ip4.sin_port = htons(at->port);
	return inet_pton(AF_INET, at->host, &out->ip4.sin_addr) == 1 ? sizeof(out->ip4) : 0;
}

const char *listen_text(const struct config_listen *at, char out[static LISTEN_TEXT])
{
	snprintf(out, LISTEN_TEXT, at->is_ip6 ? "[%s]:%u" : "%s:%u", at->host, at->port);
	return out;
}

static void explain(const struct config_listen *at, char *why)
{
	char text[LISTEN_TEXT];

	switch (errno) {
	case EADDRINUSE:
		snprintf(why, LISTEN_WHY, "%s is taken by another program", listen_text(at, text));
		break;
	case EADDRNOTAVAIL:
		snprintf(why, LISTEN_WHY, "%s is not an address of this machine", at->host);
		break;
	case EACCES:
		snprintf(why, LISTEN_WHY,
			 "port %u needs the capability CAP_NET_BIND_SERVICE, which is missing",
			 at->port);
		break;
	default:
		snprintf(why, LISTEN_WHY, "cannot listen on %s: %s", listen_text(at, text),
			 strerror(errno));
	}
}

int listen_open(const struct config_listen *at, int backlog, char why[static LISTEN_WHY])
{
	union address address;
	socklen_t len = address_fill(at, &address);
	int on = 1;
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		goto failed;
	/* [::] means IPv6 and IPv4, whatever the system's default is. */
	int v6only = 0;
	if (at->is_ip6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6only, sizeof(v6only)) != 0)
		goto failed;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    bind(fd, &address.any, len) != 0 || listen(fd, backlog) != 0)
		goto failed;
	return fd;

failed:
	explain(at, why);
	if (fd >= 0)
		close(fd);
	return -1;
}
