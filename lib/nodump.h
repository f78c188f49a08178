/* Keeps the memory of a process that holds secrets out of the reach of others. */
#ifndef LIB_NODUMP_H
#define LIB_NODUMP_H

#include <stdbool.h>

/*
 * From here on the process leaves no core file (RLIMIT_CORE is 0, and so is PR_SET_DUMPABLE, which
 * also holds for a core_pattern that is a program), and only root may trace it or read its memory.
 * The first call of main, before any secret is read. It cannot fail in a way that a program could do
 * something about, so it returns nothing.
 *
 * A process that is not dumpable finds /proc/self owned by root: as another user it cannot open
 * /proc/self/fd, maps or mem.
 */
void nodump_set(void);

/* True when this program stays dumpable: the address sanitizer's search for leaks traces it. */
bool nodump_is_traced(void);

#endif
