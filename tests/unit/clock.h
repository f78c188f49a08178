/* A monotonic clock that a test can move on, for the program's own calls and libev's: what would be
 * due in an hour is due now. Linked into the tests that use it. */
#ifndef TESTS_UNIT_CLOCK_H
#define TESTS_UNIT_CLOCK_H

void clock_skip(double seconds);

#endif
