/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "jwt.h"
#include "seal.h"

#define PURPOSE	"sealed in the store"
#define NONCE	crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG	crypto_aead_xchacha20poly1305_ietf_ABYTES
#define KEY	crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define B64	sodium_base64_VARIANT_ORIGINAL_NO_PADDING

/* A mark goes to muxds at times, its hash never does. */
static int
seal_key(uint8_t key[KEY])
{
	uint8_t	mark[JWT_MARK_SIZE];
	int	r = jwt_mark(PURPOSE, sizeof(PURPOSE), mark);

	if (r == 0)
		crypto_hash_sha256(key, mark, sizeof(mark));
	sodium_memzero(mark, sizeof(mark));
	return (r);
}

static void
wipe(void *p, size_t len)
{
	if (p != NULL)
		freezero(p, len);
}

char *
seal(const char *place, const char *text, size_t len)
{
	uint8_t	key[KEY], *box = NULL;
	size_t	size = NONCE + len + TAG;
	char	*out = NULL;
	int	why = ENOMEM;

	if (seal_key(key) == -1)
		why = EINVAL;
	else if ((box = malloc(size)) != NULL &&
	    (out = malloc(sodium_base64_encoded_len(size, B64))) != NULL) {
		randombytes_buf(box, NONCE);
		(void)crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE,
		    NULL, (const uint8_t *)text, len, (const uint8_t *)place,
		    strlen(place), NULL, box, key);
		sodium_bin2base64(out, sodium_base64_encoded_len(size, B64),
		    box, size, B64);
	}
	sodium_memzero(key, sizeof(key));
	free(box);
	errno = why;
	return (out);
}

char *
unseal(const char *place, const char *sealed, size_t *len)
{
	uint8_t			 key[KEY], *box;
	const char		*end;
	char			*out = NULL;
	size_t			 size = strlen(sealed), got;
	unsigned long long	 n = 0;

	int			 why = EINVAL;

	if ((box = malloc(size + 1)) == NULL || seal_key(key) == -1) {
		errno = box == NULL ? ENOMEM : EINVAL;
		free(box);
		return (NULL);
	}
	if (sodium_base642bin(box, size, sealed, size, NULL, &got, &end,
	    B64) == 0 && *end == '\0' && got >= NONCE + TAG) {
		if ((out = calloc(1, got)) == NULL)
			why = ENOMEM;
		else if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    (uint8_t *)out, &n, NULL, box + NONCE, got - NONCE,
		    (const uint8_t *)place, strlen(place), box, key) != 0) {
			wipe(out, got);
			out = NULL;
		}
	}
	sodium_memzero(key, sizeof(key));
	free(box);
	errno = why;
	*len = (size_t)n;
	return (out);
}
