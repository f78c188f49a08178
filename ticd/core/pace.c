#include "ticd/core/pace.h"

#include <string.h>

size_t pace_allows(const struct pace *p, const char *data, size_t len)
{
	size_t room = p->sent < PACE_BYTES ? PACE_BYTES - p->sent : 0;
	const char *end;

	if (len <= room)
		return len;
	end = memrchr(data, '\n', room);
	return end != NULL ? (size_t)(end - data) + 1 : 0;
}

void pace_sent(struct pace *p, size_t n)
{
	p->sent += n;
	p->is_acked = false;
	p->poll_ms = PACE_POLL_MIN_MS;
}

int pace_wait(struct pace *p, mono_t now, size_t unacked)
{
	int64_t quiet;

	if (p->sent == 0)
		return 0;
	if (unacked > 0) {
		int wait = p->poll_ms;

		p->is_acked = false;
		p->poll_ms = wait * 2 > PACE_POLL_MAX_MS ? PACE_POLL_MAX_MS : wait * 2;
		return wait;
	}
	if (!p->is_acked) {
		p->is_acked = true;
		p->acked = now;
	}
	quiet = mono_since(now, p->acked);
	if (quiet < PACE_QUIET_MS)
		return (int)(PACE_QUIET_MS - quiet);
	p->sent = 0;
	p->is_acked = false;
	return 0;
}
