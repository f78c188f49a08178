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

/* Without the list the kernel has no loadable modules; a built-in sit is seen by its sit0. */
static int check_proto41(const char *path, char *why)
{
	static const char advice[] =
		"it would take protocol 41 from popd; unload it (modprobe -r sit tunnel4) and keep it from loading";
	char *text = NULL;
	size_t size = 0;

	if (access("/proc/sys/net/ipv4/conf/sit0", F_OK) == 0)
		return refuse(why,
			      "the kernel's sit driver is active (there is a sit0 interface): %s",
			      advice);
	FILE *f = fopen(path, "re");
	if (!f)
		return errno == ENOENT
			       ? 0
			       : refuse(why, "%s cannot be read: %s", path, strerror(errno));
	ssize_t len = getdelim(&text, &size, '\0', f);
	fclose(f);
	const char *owner = len > 0 ? startup_find_proto41_owner(text) : NULL;
	int err = owner ? refuse(why, "the kernel module %s is loaded: %s", owner, advice) : 0;
	free(text);
	return err;
}

const char *startup_find_proto41_owner(const char *modules)
{
	static const char *const owners[] = { "sit", "tunnel4" };

	for (const char *line = modules; *line;) {
		size_t len = strcspn(line, " \n");
		for (size_t i = 0; i < ARRAY_LEN(owners); i++)
			if (len == strlen(owners[i]) && strncmp(line, owners[i], len) == 0)
				return owners[i];
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	return NULL;
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
	return err ? err : check_proto41(s->modules, why);
}

int startup_check_ports(const struct settings *s, char why[static STARTUP_WHY])
{
	int err = check_port(s->ipv4, s->ayiya_port, "AYIYA", why);

	return err ? err : check_port(s->ipv4, s->heartbeat_port, "heartbeat", why);
}

void startup_warn_forwarding(void)
{
	char value = '1';
	int fd = open("/proc/sys/net/ipv6/conf/all/forwarding", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (read(fd, &value, 1) == 1 && value == '0')
		log_warnx(
			"this host does not forward IPv6, so tunnels reach the PoP only: set the sysctl net.ipv6.conf.all.forwarding to 1");
	close(fd);
}
