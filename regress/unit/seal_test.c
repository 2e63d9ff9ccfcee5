/* SPDX-License-Identifier: ISC */
/*
 * What is sealed opens with its key and in its place, as it was, or not at all.
 */
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "authd/cred/jwt.h"
#include "authd/cred/seal.h"
#include "regress/lib/tap.h"

#define KEY_A	"0123456789abcdef0123456789abcdef-one"
#define KEY_B	"0123456789abcdef0123456789abcdef-two"
#define PLACE	"0f8b1c2d-3e4f-5061-7283-94a5b6c7d8e9"

static void
key(const char *k)
{
	(void)jwt_set_key((const uint8_t *)k, strlen(k));
}

static int
opens(const char *place, const char *sealed, const char *want, size_t want_len)
{
	size_t	len;
	char	*text = unseal(place, sealed, &len);
	int	r = text != NULL && len == want_len &&
	    memcmp(text, want, len) == 0 && text[len] == '\0';

	free(text);
	return (r);
}

int
main(void)
{
	static char	big[262144];
	char		*a, *b, *cut;
	size_t		 i, len;
	int		 good = 1;

	if (sodium_init() == -1)
		return (1);
	ok(seal(PLACE, "x", 1) == NULL, "without a key nothing is sealed");
	key(KEY_A);
	a = seal(PLACE, "password", 8);
	b = seal(PLACE, "password", 8);
	if (a == NULL || b == NULL)
		bail_out("nothing is sealed");
	ok(strcmp(a, b) != 0, "twice the same is not the same");
	ok(strstr(a, "password") == NULL, "operator-60(partial): it cannot be "
	    "read");
	ok(opens(PLACE, a, "password", 8), "it opens");
	ok(!opens("0f8b1c2d", a, "password", 8), "not in another place");
	ok(!opens(PLACE, "", "", 0) && !opens(PLACE, "not it", "", 0),
	    "what is not sealed does not");
	for (i = 0; i < strlen(a); i++) {
		a[i] ^= 1;
		good &= unseal(PLACE, a, &len) == NULL;
		a[i] ^= 1;
	}
	ok(good, "nor what was changed, at any place");
	for (i = 0, good = 1; i < strlen(a); i++) {
		cut = strndup(a, i);
		good &= unseal(PLACE, cut, &len) == NULL;
		free(cut);
	}
	ok(good, "nor what is cut");
	key(KEY_B);
	ok(!opens(PLACE, a, "password", 8), "nor with another key");
	free(a);
	free(b);
	memset(big, 'x', sizeof(big));
	a = seal(PLACE, big, sizeof(big));
	ok(opens(PLACE, a, big, sizeof(big)), "256 KiB open");
	free(a);
	a = seal(PLACE, "", 0);
	ok(opens(PLACE, a, "", 0), "nothing, too");
	free(a);
	jwt_clear_key();
	return (done_testing());
}
