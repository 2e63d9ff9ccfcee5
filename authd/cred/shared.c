/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <string.h>

#include "shared.h"

#define SECRET_MAX	4096
#define MAC_LEN		crypto_auth_hmacsha256_BYTES

static struct {
	unsigned char	bytes[SECRET_MAX];
	size_t		len;
} secrets[SHARED_COUNT];

int
shared_set(enum shared which, const void *bytes, size_t len)
{
	const char	*s = bytes;

	while (len > 0 && (s[len - 1] == '\n' || s[len - 1] == '\r'))
		len--;
	if (len == 0 || len > SECRET_MAX)
		return (-1);
	memcpy(secrets[which].bytes, bytes, len);
	secrets[which].len = len;
	return (0);
}

int
shared_is_set(enum shared which)
{
	return (secrets[which].len > 0);
}

/* Hashes are compared, so that the length makes no difference either. */
int
shared_is(enum shared which, const char *text, size_t len)
{
	unsigned char	a[crypto_hash_sha256_BYTES], b[sizeof(a)];
	int		good;

	crypto_hash_sha256(a, (const unsigned char *)text, len);
	crypto_hash_sha256(b, secrets[which].bytes, secrets[which].len);
	good = secrets[which].len > 0 && sodium_memcmp(a, b, sizeof(a)) == 0;
	sodium_memzero(a, sizeof(a));
	sodium_memzero(b, sizeof(b));
	return (good);
}

int
shared_sign(enum shared which, const char *text, size_t len,
    char mac[SHARED_MAC_SIZE])
{
	crypto_auth_hmacsha256_state	st;
	unsigned char			out[MAC_LEN];

	if (!shared_is_set(which))
		return (-1);
	(void)crypto_auth_hmacsha256_init(&st, secrets[which].bytes,
	    secrets[which].len);
	(void)crypto_auth_hmacsha256_update(&st, (const unsigned char *)text,
	    len);
	(void)crypto_auth_hmacsha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
	sodium_bin2hex(mac, SHARED_MAC_SIZE, out, MAC_LEN);
	sodium_memzero(out, sizeof(out));
	return (0);
}

int
shared_signed(enum shared which, const char *text, size_t len,
    const char *mac, size_t mac_len)
{
	char	right[SHARED_MAC_SIZE];
	int	good;

	if (mac_len != SHARED_MAC_SIZE - 1 ||
	    shared_sign(which, text, len, right) == -1)
		return (0);
	good = sodium_memcmp(right, mac, mac_len) == 0;
	sodium_memzero(right, sizeof(right));
	return (good);
}
