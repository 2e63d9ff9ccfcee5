/* SPDX-License-Identifier: ISC */
/*
 * What is sealed opens with its key and in its place, as it was, or not at all. The
 * source is included, so that it can be without memory.
 */
#include <stdlib.h>

static int	 fail_at;	/* which request for memory; 0: none */

static void *
flaky_malloc(size_t size)
{
	return (fail_at > 0 && --fail_at == 0 ? NULL : malloc(size));
}

static void *
flaky_calloc(size_t n, size_t size)
{
	return (fail_at > 0 && --fail_at == 0 ? NULL : calloc(n, size));
}

#define malloc	flaky_malloc
#define calloc	flaky_calloc
#include "authd/cred/seal.c"	/* NOLINT(bugprone-suspicious-include) */
#undef malloc
#undef calloc

#include "authd/cred/jwt.h"
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
	ok(seal(PLACE, "x", 1) == NULL && errno == EINVAL,
	    "without a key nothing is sealed");
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
	for (i = 1; i <= 2; i++) {
		fail_at = (int)i;
		ok(unseal(PLACE, a, &len) == NULL && errno == ENOMEM,
		    "without memory that is why: request %zu", i);
		fail_at = (int)i;
		ok(seal(PLACE, "x", 1) == NULL && errno == ENOMEM,
		    "nothing is sealed then, and that is why");
	}
	fail_at = 0;
	key(KEY_B);
	ok(!opens(PLACE, a, "password", 8) && errno == EINVAL,
	    "nor with another key");
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
