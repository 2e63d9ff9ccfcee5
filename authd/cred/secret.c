/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "secret.h"

#define SALT_LEN	16
#define HASH_LEN	crypto_hash_sha256_BYTES
#define PREFIX		"my_"

int
secret_parse(const char *secret, char *public, const char **private)
{
	const char	*dot;
	size_t		 len;

	if (strncmp(secret, PREFIX, strlen(PREFIX)) != 0)
		return (-1);
	secret += strlen(PREFIX);
	if ((dot = strchr(secret, '.')) == NULL ||
	    strchr(dot + 1, '.') != NULL)
		return (-1);
	len = (size_t)(dot - secret);
	if (len == 0 || len >= SECRET_PUBLIC_SIZE ||
	    strlen(dot + 1) < SECRET_PRIVATE_MIN)
		return (-1);
	memcpy(public, secret, len);
	public[len] = '\0';
	*private = dot + 1;
	return (0);
}

static void
salted(const uint8_t salt[SALT_LEN], const char *private,
    uint8_t out[HASH_LEN])
{
	crypto_hash_sha256_state	st;

	crypto_hash_sha256_init(&st);
	crypto_hash_sha256_update(&st, salt, SALT_LEN);
	crypto_hash_sha256_update(&st, (const uint8_t *)private,
	    strlen(private));
	crypto_hash_sha256_final(&st, out);
	sodium_memzero(&st, sizeof(st));
}

void
secret_store(const char *private, char stored[SECRET_STORED_SIZE])
{
	uint8_t	salt[SALT_LEN], hash[HASH_LEN];

	randombytes_buf(salt, sizeof(salt));
	salted(salt, private, hash);
	sodium_bin2hex(stored, SALT_LEN * 2 + 1, salt, sizeof(salt));
	stored[SALT_LEN * 2] = ':';
	sodium_bin2hex(stored + SALT_LEN * 2 + 1, HASH_LEN * 2 + 1, hash,
	    sizeof(hash));
}

/* Exactly `len` bytes of lower-case hex, no more. */
static int
unhex(uint8_t *dst, size_t len, const char *hex, size_t hex_len)
{
	const char	*end;
	size_t		 got;

	if (hex_len != len * 2 ||
	    strspn(hex, "0123456789abcdef") < hex_len)
		return (-1);
	if (sodium_hex2bin(dst, len, hex, hex_len, NULL, &got, &end) != 0 ||
	    got != len || end != hex + hex_len)
		return (-1);
	return (0);
}

int
secret_verify(const char *stored, const char *private)
{
	uint8_t		 salt[SALT_LEN], want[HASH_LEN], got[HASH_LEN];
	const char	*colon = strchr(stored, ':');
	int		 r;

	if (colon == NULL ||
	    unhex(salt, sizeof(salt), stored, (size_t)(colon - stored)) == -1 ||
	    unhex(want, sizeof(want), colon + 1, strlen(colon + 1)) == -1) {
		secret_waste(private);
		return (-1);
	}
	salted(salt, private, got);
	r = sodium_memcmp(got, want, sizeof(got));
	sodium_memzero(got, sizeof(got));
	return (r == 0 ? 0 : -1);
}

void
secret_waste(const char *private)
{
	static const uint8_t	salt[SALT_LEN], want[HASH_LEN];
	uint8_t			got[HASH_LEN];
	volatile int		r;

	salted(salt, private, got);
	r = sodium_memcmp(got, want, sizeof(got));
	(void)r;
	sodium_memzero(got, sizeof(got));
}

void
secret_make(char key[SYSKEY_SIZE], char secret[SECRET_SIZE])
{
	uint8_t	bytes[30];	/* 10 public, 20 private */
	char	hex[61];
	int	i, n;

	randombytes_buf(bytes, sizeof(bytes));
	n = snprintf(key, SYSKEY_SIZE, "NETH");
	for (i = 0; i < 16; i += 2)
		n += snprintf(key + n, SYSKEY_SIZE - (size_t)n, "-%02X%02X",
		    bytes[i], bytes[i + 1]);
	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2hex(hex, sizeof(hex), bytes, sizeof(bytes));
	snprintf(secret, SECRET_SIZE, PREFIX "%.20s.%.40s", hex, hex + 20);
	sodium_memzero(bytes, sizeof(bytes));
	sodium_memzero(hex, sizeof(hex));
}

int
secret_new(char key[SYSKEY_SIZE], char secret[SECRET_SIZE],
    char public[SECRET_PUBLIC_SIZE], char stored[SECRET_STORED_SIZE])
{
	const char	*private;

	secret_make(key, secret);
	if (secret_parse(secret, public, &private) == -1)
		return (-1);
	secret_store(private, stored);
	return (0);
}

void
secret_token(char token[HEX64_SIZE])
{
	uint8_t	bytes[32];

	randombytes_buf(bytes, sizeof(bytes));
	sodium_bin2hex(token, HEX64_SIZE, bytes, sizeof(bytes));
	sodium_memzero(bytes, sizeof(bytes));
}

void
secret_hash(const char *token, char hash[HEX64_SIZE])
{
	uint8_t	bin[HASH_LEN];

	crypto_hash_sha256(bin, (const uint8_t *)token, strlen(token));
	sodium_bin2hex(hash, HEX64_SIZE, bin, sizeof(bin));
}

void
secret_uuid(char uuid[UUID_SIZE])
{
	uint8_t	b[16];
	char	h[33];

	randombytes_buf(b, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	sodium_bin2hex(h, sizeof(h), b, sizeof(b));
	snprintf(uuid, UUID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8,
	    h + 12, h + 16, h + 20);
}
