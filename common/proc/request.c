/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <stdint.h>

#include "request.h"

/* A keyed hash of a counter: there is one for each request of every browser. */
void
request_make(char dst[REQUEST_SIZE])
{
	static unsigned char	key[crypto_shorthash_KEYBYTES];
	static uint64_t		count;
	unsigned char		hash[crypto_shorthash_BYTES];

	if (count++ == 0)
		crypto_shorthash_keygen(key);
	crypto_shorthash(hash, (const unsigned char *)&count, sizeof(count),
	    key);
	sodium_bin2hex(dst, REQUEST_SIZE, hash, sizeof(hash));
}
