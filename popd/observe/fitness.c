#include "popd/observe/fitness.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const names[] = {
#define X(e, name, unfit) [FITNESS_##e] = (name),
	FITNESS_LIST(X)
#undef X
};
static const bool reasons[] = {
#define X(e, name, unfit) [FITNESS_##e] = (unfit),
	FITNESS_LIST(X)
#undef X
};

const char *fitness_name(enum fitness_item i)
{
	return names[i];
}

bool fitness_is_reason(enum fitness_item i)
{
	return reasons[i];
}

static bool is_off(const struct fitness_facts *f)
{
	return f->clock_known &&
	       (f->clock_offset > FITNESS_CLOCK_MAX || f->clock_offset < -FITNESS_CLOCK_MAX);
}

static uint32_t find_wrong(struct fitness *f, const struct fitness_facts *now)
{
	f->had_ipv4_default |= now->default_ipv4;
	f->had_ipv6_default |= now->default_ipv6;
	f->had_carrier |= now->carrier;
	bool lost_routes = f->had_ipv4_default && !now->default_ipv4 && f->had_ipv6_default &&
			   !now->default_ipv6; /* and with them the interfaces that have carriers */
	const bool wrong[FITNESS__COUNT] = {
		[FITNESS_TUN] = !now->tun_well,
		[FITNESS_ROUTES] = !now->routes_well,
		[FITNESS_FORWARDING] = !now->forwards,
		[FITNESS_IPV4] = !now->has_ipv4,
		[FITNESS_DEFAULT_IPV4] = f->had_ipv4_default && !now->default_ipv4,
		[FITNESS_DEFAULT_IPV6] = f->had_ipv6_default && !now->default_ipv6,
		[FITNESS_CARRIER] = f->had_carrier && !now->carrier && !lost_routes &&
				    (now->default_ipv4 || now->default_ipv6),
		[FITNESS_PROTOCOL41] = now->protocol41[0] != '\0',
		/* one wrong clock of a database must not take every PoP down */
		[FITNESS_CLOCK] = !now->clock_synchronised && is_off(now),
		[FITNESS_SECOND_POPD] = now->queues > now->workers,
		[FITNESS_WORKER] = now->stalled_s > 0,
		[FITNESS_RP_FILTER] = now->strict_rp_filter,
		[FITNESS_UNSYNCHRONISED] = now->clock_synchronised && is_off(now),
	};
	uint32_t bits = 0;

	for (unsigned i = 0; i < FITNESS__COUNT; i++)
		bits |= (uint32_t)wrong[i] << i;
	return bits;
}

static void say(char out[FITNESS_TEXT], enum fitness_item i, const struct fitness_facts *now)
{
	char ip[IP4_TEXT];
	int64_t off = now->clock_offset;

	switch (i) {
	case FITNESS_TUN:
		snprintf(out, FITNESS_TEXT,
			 "the interface %s is changed as often as popd puts it right", now->tun);
		break;
	case FITNESS_ROUTES:
		snprintf(out, FITNESS_TEXT,
			 "the routes to %s are removed as often as popd puts them back", now->tun);
		break;
	case FITNESS_FORWARDING:
		snprintf(out, FITNESS_TEXT,
			 "IPv6 forwarding is off (sysctl net.ipv6.conf.all.forwarding)");
		break;
	case FITNESS_IPV4:
		snprintf(out, FITNESS_TEXT, "the PoP's address %s is not on this host",
			 ip4_text(now->ipv4, ip));
		break;
	case FITNESS_DEFAULT_IPV4:
		snprintf(out, FITNESS_TEXT, "the IPv4 default route is gone");
		break;
	case FITNESS_DEFAULT_IPV6:
		snprintf(out, FITNESS_TEXT, "the IPv6 default route is gone");
		break;
	case FITNESS_CARRIER:
		snprintf(out, FITNESS_TEXT, "no interface with a default route has a carrier");
		break;
	case FITNESS_PROTOCOL41:
		snprintf(out, FITNESS_TEXT, "the kernel has protocol 41 too: %s", now->protocol41);
		break;
	case FITNESS_CLOCK:
	case FITNESS_UNSYNCHRONISED:
		snprintf(out, FITNESS_TEXT, "the clock is %s and %" PRId64 " s %s the database's",
			 now->clock_synchronised ? "synchronised" : "not synchronised",
			 off < 0 ? -off : off, off < 0 ? "behind" : "ahead of");
		break;
	case FITNESS_SECOND_POPD:
		snprintf(
			out, FITNESS_TEXT,
			"another process has %s open and takes part of its packets: a second popd?",
			now->tun);
		break;
	case FITNESS_WORKER:
		snprintf(out, FITNESS_TEXT, "a worker stands still");
		break;
	case FITNESS_RP_FILTER:
		snprintf(
			out, FITNESS_TEXT,
			"rp_filter is strict: IPv4 packets of clients whose way back is another are lost (set net.ipv4.conf.all.rp_filter to 0 or 2)");
		break;
	case FITNESS__COUNT:
		break;
	}
}

uint32_t fitness_judge(struct fitness *f, const struct fitness_facts *facts)
{
	uint32_t wrong = find_wrong(f, facts), changed = wrong ^ f->wrong;

	for (enum fitness_item i = 0; i < FITNESS__COUNT; i++)
		if (changed & wrong & 1u << i)
			say(f->text[i], i, facts);
	f->wrong = wrong;
	return changed;
}

uint32_t fitness_reasons(const struct fitness *f)
{
	uint32_t bits = 0;

	for (enum fitness_item i = 0; i < FITNESS__COUNT; i++)
		bits |= fitness_is_reason(i) ? f->wrong & 1u << i : 0;
	return bits;
}

/* ---- guards ---- */

/* The last repairs were all within the window. */
static bool is_busy(const struct guard *g, mono_t now)
{
	const mono_t *oldest = &g->at[g->next];

	return oldest->ms != 0 && mono_since(now, *oldest) < GUARD_WINDOW_MS;
}

enum guard_verdict guard_ask(struct guard *g, mono_t now)
{
	const mono_t *last = &g->at[(g->next + GUARD_BURST - 1) % GUARD_BURST];

	if (mono_since(now, g->until) < 0)
		return GUARD_WAIT;
	if (g->told && mono_since(now, *last) > 2 * GUARD_WINDOW_MS + g->wait_s * 1000)
		*g = (struct guard){ .next = 0 }; /* it was left alone for long enough */
	bool busy = g->told || is_busy(g, now), tell = busy && !g->told;
	g->at[g->next] = now;
	g->next = (g->next + 1) % GUARD_BURST;
	if (!busy)
		return GUARD_REPAIR;
	g->told = true;
	g->wait_s = g->wait_s == 0 ? 1 : g->wait_s * 2;
	if (g->wait_s > GUARD_WAIT_MAX_S)
		g->wait_s = GUARD_WAIT_MAX_S;
	g->until.ms = now.ms + (int64_t)g->wait_s * 1000;
	return tell ? GUARD_REPAIR_AND_TELL : GUARD_REPAIR_SILENTLY;
}
