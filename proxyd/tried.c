/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "base/rate.h"
#include "tried.h"

#define HASH_LEN	16
#define SECOND_MS	1000

static struct {
	unsigned char	 secret[crypto_generichash_KEYBYTES];
	struct rate	*refused, *asked;	/* by address */
	struct rate	*all;			/* one key, "" */
	struct rate	*good, *bad;		/* by credential */
} tried;

static struct rate *
table(size_t places)
{
	struct rate	*r;

	if ((r = rate_new(places)) == NULL)
		fatal("tried");
	return (r);
}

void
tried_init(void)
{
	crypto_generichash_keygen(tried.secret);
	tried.refused = table(8192);
	tried.asked = table(1024);
	tried.all = table(1);
	tried.good = table(8192);
	tried.bad = table(4096);
}

void
tried_make(struct tried *t, const void *what, size_t len)
{
	uint8_t	hash[HASH_LEN];

	crypto_generichash(hash, sizeof(hash), what, len, tried.secret,
	    sizeof(tried.secret));
	sodium_bin2hex(t->key, sizeof(t->key), hash, sizeof(hash));
}

static int
is_known(struct rate *r, const struct tried *t)
{
	uint32_t	ignored;

	return (t->key[0] != '\0' && rate_peek(r, t->key, 1, &ignored) == -1);
}

static void
forget(struct rate *r, const struct tried *t)
{
	if (t->key[0] != '\0')
		rate_back(r, t->key);
}

/* From now on, for so long. */
static void
remember(struct rate *r, const struct tried *t, uint64_t ms)
{
	uint32_t	ignored;

	if (t->key[0] == '\0')
		return;
	rate_back(r, t->key);
	(void)rate_hit(r, t->key, 1, ms, &ignored);
}

uint32_t
tried_wait(const struct addr *a, const struct tried *t)
{
	char		key[ADDR_SIZE];
	uint32_t	over, wait;

	if ((over = tried_over(a)) == 0 || is_known(tried.good, t))
		return (0);
	if (is_known(tried.bad, t))
		return (over);
	addr_key(a, key);
	if (rate_hit(tried.asked, key, TRIED_ASK, SECOND_MS, &wait) == -1 ||
	    rate_hit(tried.all, "", TRIED_ASK_ALL, SECOND_MS, &wait) == -1)
		return (wait);
	return (0);
}

void
tried_good(const struct tried *t)
{
	forget(tried.bad, t);
	remember(tried.good, t, TRIED_GOOD_MS);
}

uint32_t
tried_bad(const struct addr *a, const struct tried *t)
{
	char		key[ADDR_SIZE];
	uint32_t	wait;

	forget(tried.good, t);
	remember(tried.bad, t, TRIED_BAD_MS);
	addr_key(a, key);
	return (rate_hit(tried.refused, key, TRIED_MAX, TRIED_MS, &wait) ==
	    -1 ? wait : 0);
}

uint32_t
tried_over(const struct addr *a)
{
	char		key[ADDR_SIZE];
	uint32_t	wait;

	addr_key(a, key);
	return (rate_peek(tried.refused, key, TRIED_MAX, &wait) == -1 ?
	    wait : 0);
}
