#include "popd/daemon/startup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/err.h"
#include "lib/log.h"

static bool has_capability(unsigned cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &head, data) != 0)
		return geteuid() == 0;
	return data[cap / 32].effective & (1u << (cap % 32));
}

static int refuse(char *why, const char *fmt, ...) FORMAT(2, 3);
static int refuse(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, STARTUP_WHY, fmt, ap);
	va_end(ap);
	return -ERR_REFUSED;
}

static int check_tun(char *why)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return refuse(
			why,
			"there is no /dev/net/tun: load the kernel's tun module (modprobe tun)");
	if (fd < 0)
		return refuse(why, "/dev/net/tun cannot be opened: %s", strerror(errno));
	close(fd);
	return 0;
}

/* The line of a module in a /proc/modules text; NULL: it is not loaded. */
static const char *find_module(const char *modules, const char *name)
{
	size_t name_len = strlen(name);

	for (const char *line = modules; *line;) {
		if (strcspn(line, " \n") == name_len && strncmp(line, name, name_len) == 0)
			return line;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return NULL;
}

/* The fourth field of a line: the modules that hold it, each with a comma behind it, or "-". */
static void put_holders(const char *line, char *out)
{
	size_t len = strlen(out), n = strcspn(line, "\n");
	int at = 0;

	if (sscanf(line, "%*s %*s %*s %n", &at) != 0 || at == 0 || (size_t)at >= n)
		return;
	int held = (int)strcspn(line + at, " \n");
	while (held > 0 && line[at + held - 1] == ',')
		held--;
	if (held > 0 && line[at] != '-')
		snprintf(out + len, STARTUP_WHY - len, ", held by %.*s", held < 100 ? held : 100,
			 line + at);
}

bool startup_describe_modules(const char *modules, char out[static STARTUP_WHY])
{
	const char *tunnel4 = find_module(modules, "tunnel4"), *sit = find_module(modules, "sit");

	if (!tunnel4 && !sit)
		return false;
	snprintf(out, STARTUP_WHY, "the kernel module %s is loaded", sit ? "sit" : "tunnel4");
	if (sit && tunnel4)
		snprintf(out, STARTUP_WHY, "the kernel modules sit and tunnel4 are loaded");
	if (tunnel4)
		put_holders(tunnel4, out);
	return true;
}

/* Without the list the kernel has no loadable modules; a built-in sit is seen by its sit0. */
static int read_modules(const char *path, char **out)
{
	size_t size = 0;
	FILE *f = fopen(path, "re");

	*out = NULL;
	if (!f)
		return errno == ENOENT ? 0 : -ERR_SYS;
	ssize_t len = getdelim(out, &size, '\0', f);
	fclose(f);
	if (len <= 0) {
		free(*out);
		*out = NULL;
	}
	return 0;
}

bool startup_find_protocol41(const char *path, char out[static STARTUP_WHY])
{
	char *text;
	bool found = access("/proc/sys/net/ipv4/conf/sit0", F_OK) == 0;

	if (found)
		snprintf(out, STARTUP_WHY,
			 "the kernel's sit driver is active, there is a sit0 interface");
	if (read_modules(path, &text) == 0 && text && startup_describe_modules(text, out))
		found = true;
	free(text);
	return found;
}

static int check_proto41(const struct settings *s, char *why)
{
	char found[STARTUP_WHY], *text;

	if (read_modules(s->modules, &text) != 0)
		return refuse(why, "%s cannot be read: %s", s->modules, strerror(errno));
	free(text);
	if (s->allow_kernel_sit || !startup_find_protocol41(s->modules, found))
		return 0;
	return refuse(
		why,
		"%.200s: it would take protocol 41 from popd; unload it and keep it from loading, or see allow_kernel_sit in popd.conf(5)",
		found);
}

/* Our own sockets share their port (SO_REUSEPORT). This one does not, so it notices another popd
 * too. */
static int check_port(struct ip4 ip, int64_t port, const char *what, char *why)
{
	char text[IP4_TEXT];
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(ip.v) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return refuse(why, "a UDP socket cannot be created: %s", strerror(errno));
	int err = bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 ? 0 : errno;
	close(fd);
	if (err == EADDRNOTAVAIL)
		return refuse(why, "ipv4 = %s is not an address of this host", ip4_text(ip, text));
	if (err == EADDRINUSE)
		return refuse(why, "UDP port %d (%s) of %s is taken by another program", (int)port,
			      what, ip4_text(ip, text));
	if (err)
		return refuse(why, "UDP port %d of %s cannot be used: %s", (int)port,
			      ip4_text(ip, text), strerror(err));
	return 0;
}

int startup_check_machine(const struct settings *s, char why[static STARTUP_WHY])
{
	if (!has_capability(CAP_NET_ADMIN) || !has_capability(CAP_NET_RAW))
		return refuse(
			why,
			"popd must run as root, or with the capabilities CAP_NET_ADMIN and CAP_NET_RAW");
	int err = check_tun(why);
	return err ? err : check_proto41(s, why);
}

int startup_check_ports(const struct settings *s, char why[static STARTUP_WHY])
{
	int err = check_port(s->ipv4, s->ayiya_port, "AYIYA", why);

	return err ? err : check_port(s->ipv4, s->heartbeat_port, "heartbeat", why);
}
