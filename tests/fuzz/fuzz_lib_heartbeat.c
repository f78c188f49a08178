/* The heartbeat line: no input is read beyond its end, and in an accepted line the hashed part and
 * the 32 digits behind it lie within it. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/heartbeat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct heartbeat h;
	uint8_t digest[DIGEST_MD5_LEN];

	if (heartbeat_decode(data, size, &h) != 0)
		return 0;
	if (h.signed_len + 32 > size ||
	    hex_decode((const char *)data + h.signed_len, 32, digest, sizeof(digest)) != 0 ||
	    memcmp(digest, h.digest, sizeof(digest)) != 0)
		abort();
	for (size_t i = h.signed_len + 32; i < size; i++)
		if (data[i] != '\n' && data[i] != '\r' && data[i] != '\0')
			abort();
	return 0;
}
