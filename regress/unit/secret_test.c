/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <string.h>

#include "authd/cred/secret.h"
#include "base/compat.h"
#include "regress/lib/tap.h"

#define VECTOR	"000102030405060708090a0b0c0d0e0f:88067e5cb3978ac8a3390a978d64"	\
		"fbb278704512946c6750bfe7f4c205b72b4a"

static void
vector(void)
{
	static const char *const	bad[] = { "", ":", "zz", "00:00",
	    "000102030405060708090a0b0c0d0e0f", VECTOR "00",
	    "0" VECTOR, "00010203040506070809:88067e5cb3978ac8a3390a978d64fbb2"
	    "78704512946c6750bfe7f4c205b72b4a",
	    "000102030405060708090A0B0C0D0E0F:88067e5cb3978ac8a3390a978d64fbb2"
	    "78704512946c6750bfe7f4c205b72b4a" };
	char				stored[SECRET_STORED_SIZE], priv[41];
	size_t				i;
	int				good = 1;

	memset(priv, 's', 40);
	priv[40] = '\0';
	is_int(secret_verify(VECTOR, priv), 0,
	    "tunnel-4: the SHA-256 vector verifies");
	for (i = 0; i < strlen(VECTOR); i++) {
		strlcpy(stored, VECTOR, sizeof(stored));
		if (stored[i] == ':')
			continue;
		stored[i] = stored[i] == '0' ? '1' : '0';
		good &= secret_verify(stored, priv) == -1;
	}
	ok(good, "tunnel-4: one changed hex digit does not, at any place");
	for (i = 0, good = 1; i < sizeof(bad) / sizeof(bad[0]); i++)
		good &= secret_verify(bad[i], priv) == -1;
	ok(good, "tunnel-4: malformed stored values fail closed");
	secret_store(priv, stored);
	is_int(strlen(stored), 97, "a stored form of 32 and 64 digits");
	is_int(secret_verify(stored, priv), 0, "verifies");
	priv[0] = 'x';
	is_int(secret_verify(stored, priv), -1, "another secret does not");
}

static void
forms(void)
{
#define P31	"1234567890123456789012345678901"
	static const char *const	bad[] = { "", "my_", "a." P31 "2",
	    "my_a" P31 "2", "my_a." P31, "my_." P31 "2", "my_a.b." P31 "2",
	    "MY_a." P31 "2" };
	char				pub[SECRET_PUBLIC_SIZE];
	char				key[SYSKEY_SIZE], secret[SECRET_SIZE];
	char				key2[SYSKEY_SIZE];
	const char			*priv;
	size_t				i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_int(secret_parse(bad[i], pub, &priv), -1,
		    "tunnel-5(partial): form refused: \"%s\"", bad[i]);
	is_int(secret_parse("my_a." P31 "2", pub, &priv), 0,
	    "tunnel-5(partial): 32 characters are enough");
	is_str(pub, "a", "the public part");
	is_str(priv, P31 "2", "the private part");
	secret_make(key, secret);
	secret_make(key2, secret);
	ok(strcmp(key, key2) != 0, "no two keys are alike");
	is_int(strspn(key + 4, "-0123456789ABCDEF"), 40,
	    "a key has eight groups of upper-case digits");
	is_int(secret_parse(secret, pub, &priv), 0, "a new secret parses");
	is_int(strlen(pub), 20, "20 digits of public part");
	is_int(strlen(priv), 40, "40 of private part");
	is_int(strspn(priv, "0123456789abcdef"), 40, "in lower case");
}

int
main(void)
{
	char	token[HEX64_SIZE], hash[HEX64_SIZE], uuid[UUID_SIZE];

	if (sodium_init() == -1)
		return (1);
	vector();
	forms();
	secret_token(token);
	is_int(strspn(token, "0123456789abcdef"), 64, "a token is 64 digits");
	secret_hash("abc", hash);
	is_str(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61"
	    "f20015ad", "the hash of a token is its SHA-256");
	secret_uuid(uuid);
	ok(strlen(uuid) == 36 && uuid[8] == '-' && uuid[14] == '4' &&
	    strchr("89ab", uuid[19]) != NULL, "a version 4 UUID: %s", uuid);
	return (done_testing());
}
