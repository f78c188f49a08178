/*
 * UTF-8 against the grammar of RFC 3629 written out, and names of schema files: an accepted one is
 * spelled exactly so.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"
#include "ticd/ctl/migrate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static bool is_tail(const uint8_t *p, size_t left, size_t n)
{
	if (left <= n)
		return false;
	for (size_t i = 1; i <= n; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return false;
	return true;
}

/* Section 4 of the RFC, production by production: the bytes of the character, 0 for none. */
static size_t plain_length(const uint8_t *p, size_t left)
{
	static const struct {
		uint8_t first, last, second_first, second_last;
		size_t tail;
	} rows[] = {
		{ 0x00, 0x7f, 0, 0, 0 },       { 0xc2, 0xdf, 0x80, 0xbf, 1 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 2 }, { 0xe1, 0xec, 0x80, 0xbf, 2 },
		{ 0xed, 0xed, 0x80, 0x9f, 2 }, { 0xee, 0xef, 0x80, 0xbf, 2 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 3 }, { 0xf1, 0xf3, 0x80, 0xbf, 3 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 3 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (p[0] >= rows[i].first && p[0] <= rows[i].last)
			return is_tail(p, left, rows[i].tail) && (rows[i].tail == 0 ||
								  (p[1] >= rows[i].second_first &&
								   p[1] <= rows[i].second_last))
				       ? 1 + rows[i].tail
				       : 0;
	return 0;
}

static void try_utf8(const char *text, size_t len)
{
	size_t at = 0;
	uint32_t code;

	while (at < len) {
		size_t n = utf8_decode(text + at, len - at, &code);
		require(n == plain_length((const uint8_t *)text + at, len - at));
		require(n > 0 ? code <= 0x10ffff : code == (uint8_t)text[at]);
		if (n == 0)
			break;
		at += n;
	}
	require(utf8_is_valid(text) == (at == len));
}

static void try_name(const char *text)
{
	static char path[4096];
	char subject[MIGRATE_NAME], again[MIGRATE_NAME + 64];
	uint32_t number;

	snprintf(path, sizeof(path), "migrations/%s", text);
	if (migrate_name(path, &number, subject) != 0)
		return;
	snprintf(again, sizeof(again), "migrations/%04u_%s.sql", number, subject);
	require(strcmp(path, again) == 0 && number >= 1 && number <= 9999);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	require(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try_utf8(text, strlen(text));
	try_name(text);
	free(text);
	return 0;
}
