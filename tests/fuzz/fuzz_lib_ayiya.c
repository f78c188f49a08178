/* The AYIYA header: no input is read beyond its end, and what decodes as something we could have
 * sent encodes to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/ayiya.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[AYIYA_HEADER_MAX];
	struct ayiya_view v;

	if (ayiya_decode(data, size, &v) != 0)
		return 0;
	if (v.header_len > size || v.header_len != AYIYA_FIXED + v.signature_len)
		abort();
	enum digest_alg alg = ayiya_digest(v.hash);
	if (alg == DIGEST__COUNT || digest_len(alg) != v.signature_len ||
	    v.auth != AYIYA_AUTH_SECRET)
		return 0;
	struct ip6 identity = ip6_load(data + AYIYA_AT_IDENTITY);
	ayiya_encode(again, alg == DIGEST_SHA256, (enum ayiya_opcode)v.opcode, v.next_header,
		     v.epoch, &identity, data + AYIYA_AT_SIGNATURE);
	if (memcmp(again, data, v.header_len) != 0)
		abort();
	return 0;
}
