#include "popd/daemon/host.h"

#include <ev.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "popd/daemon/forwarder.h"
#include "popd/daemon/link.h"
#include "popd/daemon/netlink.h"
#include "popd/daemon/startup.h"
#include "popd/settings.h"

enum { ROUTES_PERIOD = 60 /* seconds */ };
static const double gather = 0.05; /* seconds, so that changes that come together are one */

struct host {
	struct host_conf conf;
	struct netlink *netlink;
	struct netlink_watch *watch;
	struct ev_io news;
	struct ev_timer second, soon;
	unsigned seconds;
	bool routes_due, defaults_due;
	struct netlink_defaults defaults;
	bool clock_known;
	int64_t clock_offset; /* of the wall clock, from the database's, at the last report */
	struct moment clock_at;
	char protocol41[STARTUP_WHY];
	struct fitness fitness;
};

/* ---- facts ---- */

/* -1: unknown. */
static int read_sysctl(const char *path)
{
	char value = '\0';
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -1;
	ssize_t n = read(fd, &value, 1);
	close(fd);
	return n == 1 && value >= '0' && value <= '9' ? value - '0' : -1;
}

/* By adjtimex; a kernel that does not say counts as synchronised. */
static bool is_synchronised(void)
{
	struct timex t = { .modes = 0 };
	int state = adjtimex(&t);

	return state != TIME_ERROR && !(t.status & STA_UNSYNC);
}

/* What our clock has been stepped by since the report counts at once. */
static int64_t clock_offset(const struct host *h)
{
	struct moment now = moment_now();

	return h->clock_offset + ((int64_t)now.wall - h->clock_at.wall) -
	       ((int64_t)now.mono.s - h->clock_at.mono.s);
}

static bool has_carrier(struct host *h)
{
	for (unsigned i = 0; i < h->defaults.n; i++) {
		struct netlink_link link = { .index = h->defaults.uplinks[i] };
		if (netlink_read_link(h->netlink, NULL, &link) == 0 && link.carrier)
			return true;
	}
	return false;
}

static bool is_up(struct host *h, const char *interface)
{
	struct netlink_link link;

	return netlink_read_link(h->netlink, interface, &link) == 0 && link.up;
}

/* An operator may have accepted that the kernel has protocol 41 too; but with sit0 up it takes
 * packets before popd has checked their sources. */
static const char *other_protocol41(struct host *h)
{
	const struct settings *s = h->conf.settings;

	if (!startup_find_protocol41(s->modules, h->protocol41))
		return "";
	return s->allow_kernel_sit && !is_up(h, "sit0") ? "" : h->protocol41;
}

static uint32_t longest_stall(const struct forwarder *f)
{
	uint32_t longest = 0;

	for (unsigned i = 0; i < f->worker_count; i++) {
		uint32_t s = forwarder_stalled(f, i);
		longest = s > longest ? s : longest;
	}
	return longest;
}

static void read_defaults(struct host *h)
{
	struct netlink_defaults fresh;

	if (h->defaults_due && netlink_read_defaults(h->netlink, &fresh) == 0) {
		h->defaults = fresh;
		h->defaults_due = false;
	}
}

static void read_facts(struct host *h, const struct link_health *health, struct fitness_facts *f)
{
	const struct settings *s = h->conf.settings;

	read_defaults(h);
	*f = (struct fitness_facts){
		.tun = s->tun,
		.tun_well = health->tun_well,
		.routes_well = health->routes_well,
		.forwards = read_sysctl("/proc/sys/net/ipv6/conf/all/forwarding") != 0,
		.ipv4 = s->ipv4,
		.has_ipv4 = netlink_has_ip4(h->netlink, s->ipv4),
		.default_ipv4 = h->defaults.ipv4,
		.default_ipv6 = h->defaults.ipv6,
		.carrier = has_carrier(h),
		.protocol41 = other_protocol41(h),
		.clock_synchronised = is_synchronised(),
		.clock_known = h->clock_known,
		.clock_offset = clock_offset(h),
		.queues = health->queues,
		.workers = h->conf.forwarder->worker_count,
		.stalled_s = longest_stall(h->conf.forwarder),
		.strict_rp_filter = read_sysctl("/proc/sys/net/ipv4/conf/all/rp_filter") == 1,
	};
}

/* ---- looking ---- */

static void log_change(const struct fitness *f, enum fitness_item i)
{
	bool is_reason = fitness_is_reason(i);

	if (!(f->wrong & 1u << i))
		log_info("no longer: %s", f->text[i]);
	else if (is_reason)
		log_error("this PoP cannot carry packets: %s", f->text[i]);
	else
		log_warnx("%s", f->text[i]);
}

static void look(struct host *h)
{
	const struct pop_conf *pop = table_pop(h->conf.forwarder->table);
	uint32_t before = fitness_reasons(&h->fitness);
	struct link_health health;
	struct fitness_facts facts;

	link_repair(h->conf.link, pop, h->routes_due, &health);
	h->routes_due = !health.routes_known;
	forwarder_repair_fast_path(h->conf.forwarder);
	read_facts(h, &health, &facts);
	uint32_t changed = fitness_judge(&h->fitness, &facts);
	for (enum fitness_item i = 0; i < FITNESS__COUNT; i++)
		if (changed & 1u << i)
			log_change(&h->fitness, i);
	if (before != fitness_reasons(&h->fitness))
		h->conf.changed(h->conf.ctx);
}

void host_look(struct host *h)
{
	h->routes_due = h->defaults_due = true;
	look(h);
}

static void second_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	struct host *h = container_of(timer, struct host, second);

	(void)loop;
	(void)revents;
	if (++h->seconds % ROUTES_PERIOD == 0)
		h->routes_due = h->defaults_due = true;
	look(h);
}

static void soon_due(struct ev_loop *loop, struct ev_timer *timer, int revents)
{
	(void)loop;
	(void)revents;
	look(container_of(timer, struct host, soon));
}

static void news_ready(struct ev_loop *loop, struct ev_io *io, int revents)
{
	struct host *h = container_of(io, struct host, news);
	struct netlink_news news = netlink_watch_read(h->watch);

	(void)revents;
	h->routes_due |= news.routes || news.links;
	h->defaults_due |= news.defaults || news.links;
	bool any = news.routes || news.links || news.defaults || news.others;
	if (!any || ev_is_active(&h->soon))
		return;
	ev_timer_set(&h->soon, gather, 0.);
	ev_timer_start(loop, &h->soon);
}

/* ---- from outside ---- */

void host_set_database_clock(struct host *h, int64_t seconds)
{
	h->clock_at = moment_now();
	h->clock_offset = (int64_t)h->clock_at.wall - seconds;
	h->clock_known = true;
}

const struct fitness *host_fitness(const struct host *h)
{
	return &h->fitness;
}

static void ignore(void *ctx)
{
	(void)ctx;
}

struct host *host_create(const struct host_conf *conf)
{
	struct host *h = calloc(1, sizeof(*h));

	if (h) {
		h->conf = *conf;
		h->netlink = netlink_create();
		h->watch = netlink_watch_create();
	}
	if (!h || !h->netlink || !h->watch) {
		log_errno("the host cannot be watched by netlink");
		host_free(h);
		return NULL;
	}
	ev_io_init(&h->news, news_ready, netlink_watch_fd(h->watch), EV_READ);
	ev_io_start(conf->loop, &h->news);
	ev_timer_init(&h->second, second_due, 1., 1.);
	ev_timer_start(conf->loop, &h->second);
	ev_init(&h->soon, soon_due);
	h->conf.changed = ignore; /* nobody reports yet */
	host_look(h);
	h->conf.changed = conf->changed;
	return h;
}

void host_free(struct host *h)
{
	if (!h)
		return;
	if (h->watch) {
		ev_io_stop(h->conf.loop, &h->news);
		ev_timer_stop(h->conf.loop, &h->second);
		ev_timer_stop(h->conf.loop, &h->soon);
	}
	netlink_watch_free(h->watch);
	netlink_free(h->netlink);
	free(h);
}
