#include "web/page/etag.h"

#include <string.h>

#include "lib/digest.h"

const char *etag_make(struct digest_ctx *digest, const void *body, size_t len,
		      char out[static ETAG_TEXT])
{
	char hex[DIGEST_MAX_HEX];
	out[0] = '\0';
	if (!digest_hex(digest, DIGEST_SHA256, body, len, hex))
		return out;
	out[0] = '"';
	memcpy(out + 1, hex, ETAG_TEXT - 3); /* half of SHA-256 */
	memcpy(out + ETAG_TEXT - 2, "\"", 2);
	return out;
}

/* etagc of RFC 9110: no blanks, no quotes, no control characters. */
static bool is_etag_char(char c)
{
	unsigned char u = (unsigned char)c;
	return u == 0x21 || (u >= 0x23 && u != 0x7f);
}

/* The length of the opaque tag, quotes included, that begins at `p`; 0: there is none. */
static size_t opaque_tag_len(const char *p)
{
	size_t len = 1;
	if (*p != '"')
		return 0;
	while (is_etag_char(p[len]))
		len++;
	return p[len] == '"' ? len + 1 : 0;
}

/* A list of RFC 9110 5.6.1: blanks around the commas, empty members allowed. */
bool etag_is_named(const char *header, const char *etag)
{
	size_t etag_len = strlen(etag);
	bool named = false;
	const char *p = header + strspn(header, " \t");
	if (*p == '*')
		return p[1 + strspn(p + 1, " \t")] == '\0';
	while (*p) {
		p += strspn(p, " \t,");
		if (*p == '\0')
			break;
		if (strncmp(p, "W/", 2) == 0)
			p += 2;
		size_t len = opaque_tag_len(p);
		if (len == 0)
			return false;
		if (len == etag_len && memcmp(p, etag, len) == 0)
			named = true;
		p += len;
		p += strspn(p, " \t");
		if (*p && *p != ',')
			return false;
	}
	return named;
}
