#include "lib/wire/ayiya.h"

#include <string.h>

#include "lib/err.h"
#include "lib/wire/be.h"

enum { SHA1_WORDS = 5, SHA256_WORDS = 8 };

int ayiya_decode(const uint8_t *data, size_t len, struct ayiya_view *out)
{
	if (len < AYIYA_FIXED)
		return -ERR_TRUNCATED;
	if (data[0] != AYIYA_IDENTITY_16_INTEGER)
		return -ERR_FORMAT;
	uint32_t signature = (data[1] >> 4) * 4u;
	if (len < AYIYA_FIXED + signature)
		return -ERR_TRUNCATED;
	*out = (struct ayiya_view){
		.hash = data[1] & 15,
		.auth = data[2] >> 4,
		.opcode = data[2] & 15,
		.next_header = data[3],
		.epoch = be32_load(data + 4),
		.signature_len = signature,
		.header_len = AYIYA_FIXED + signature,
	};
	return 0;
}

enum digest_alg ayiya_digest(unsigned hash)
{
	return hash == AYIYA_HASH_SHA1     ? DIGEST_SHA1
	       : hash == AYIYA_HASH_SHA256 ? DIGEST_SHA256
					   : DIGEST__COUNT;
}

void ayiya_encode(uint8_t *out, bool sha256, enum ayiya_opcode opcode, uint8_t next_header,
		  uint32_t epoch, const struct ip6 *identity, const uint8_t *key)
{
	out[0] = AYIYA_IDENTITY_16_INTEGER;
	out[1] = sha256 ? SHA256_WORDS << 4 | AYIYA_HASH_SHA256 : SHA1_WORDS << 4 | AYIYA_HASH_SHA1;
	out[2] = (uint8_t)(AYIYA_AUTH_SECRET << 4 | opcode);
	out[3] = next_header;
	be32_store(out + 4, epoch);
	memcpy(out + AYIYA_AT_IDENTITY, identity->b, sizeof(identity->b));
	memcpy(out + AYIYA_AT_SIGNATURE, key, ayiya_header_len(sha256) - AYIYA_FIXED);
}
