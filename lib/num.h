/* Strict parsers of numbers: the whole of the text, no blanks, no plus sign, no overflow. Pure. */
#ifndef LIB_NUM_H
#define LIB_NUM_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cc.h"

/* 0, -ERR_FORMAT (not a number) or -ERR_RANGE (outside min..max). */
int num_parse_u64(const char *text, size_t len, uint64_t min, uint64_t max, uint64_t *out)
	NONNULL MUSTCHECK;
int num_parse_i64(const char *text, size_t len, int64_t min, int64_t max, int64_t *out)
	NONNULL MUSTCHECK;
/* Hexadecimal without a prefix, either case. */
int num_parse_hex(const char *text, size_t len, uint64_t max, uint64_t *out) NONNULL MUSTCHECK;
/* The value of a hexadecimal digit of either case; 16: not a digit. */
int num_hex_digit(char c);
/* "T123" (either case) or "123": a tunnel id, 1..2147483647. */
int num_parse_tunnel_id(const char *text, size_t len, uint32_t *out) NONNULL MUSTCHECK;

#endif
