/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <string.h>

#include "base/compat.h"
#include "signin.h"

static struct place {
	uint64_t	until_ms;	/* 0: free */
	char		hash[HEX64_SIZE];
	struct signin	what;
} places[SIGNINS_MAX];

static void
place_free(struct place *p)
{
	sodium_memzero(p, sizeof(*p));
}

static void
signin_sweep(const struct now *now)
{
	struct place	*p;

	for (p = places; p < places + SIGNINS_MAX; p++)
		if (p->until_ms != 0 && p->until_ms <= now->ms)
			place_free(p);
}

int
signin_new(const char hash[HEX64_SIZE], const struct signin *what,
    const struct now *now)
{
	struct place	*p;

	signin_sweep(now);
	for (p = places; p < places + SIGNINS_MAX; p++)
		if (p->until_ms == 0)
			break;
	if (p == places + SIGNINS_MAX)
		return (-1);
	strlcpy(p->hash, hash, sizeof(p->hash));
	p->what = *what;
	p->until_ms = now->ms + SIGNIN_MS;
	return (0);
}

int
signin_take(const char hash[HEX64_SIZE], struct signin *what,
    const struct now *now)
{
	struct place	*p, *found = NULL;

	signin_sweep(now);
	for (p = places; p < places + SIGNINS_MAX; p++)
		if (sodium_memcmp(p->hash, hash, sizeof(p->hash)) == 0)
			found = p;
	/* A place that is free has no hash, which is nobody's. */
	if (found == NULL || found->until_ms == 0)
		return (-1);
	*what = found->what;
	place_free(found);
	return (0);
}

void
signin_clear(void)
{
	sodium_memzero(places, sizeof(places));
}
