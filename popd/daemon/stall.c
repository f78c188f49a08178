#include "popd/daemon/stall.h"

enum stall_change stall_look(struct stall *s, uint32_t progress, mono_t now)
{
	bool stood = s->looks >= STALL_LOOKS;

	if (s->moved.ms == 0 || progress != s->progress) {
		*s = (struct stall){ .progress = progress, .moved = now };
		return stood ? STALL_ENDS : STALL_SAME;
	}
	s->looks += !stood;
	return !stood && s->looks == STALL_LOOKS ? STALL_BEGINS : STALL_SAME;
}

uint32_t stall_seconds(const struct stall *s, mono_t now)
{
	if (s->looks < STALL_LOOKS)
		return 0;
	int64_t ms = mono_since(now, s->moved);
	return ms < 1000 ? 1 : (uint32_t)(ms / 1000);
}
