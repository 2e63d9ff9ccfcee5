/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "rate.h"

#define PROBES	8	/* places where a key may lie */

struct slot {
	uint8_t		key[16];
	uint64_t	begin_ms;
	uint32_t	count;		/* 0: free */
};

struct rate {
	uint64_t	 window_ms;
	unsigned int	 slots;		/* a power of two */
	unsigned char	 secret[crypto_shorthash_KEYBYTES];
	struct slot	 slot[];
};

struct rate *
rate_new(uint64_t window_ms, unsigned int slots)
{
	struct rate	*r;

	r = calloc(1, sizeof(*r) + slots * sizeof(struct slot));
	if (r == NULL)
		return (NULL);
	r->window_ms = window_ms;
	r->slots = slots;
	crypto_shorthash_keygen(r->secret);
	return (r);
}

void
rate_free(struct rate *r)
{
	free(r);
}

/* The key's slot, or NULL; *spare is where it would go. */
static struct slot *
rate_find(struct rate *r, const uint8_t key[16], struct slot **spare)
{
	unsigned char	 h[crypto_shorthash_BYTES];
	struct slot	*s;
	uint64_t	 at, now = clock_ms();
	unsigned int	 i;

	crypto_shorthash(h, key, 16, r->secret);
	memcpy(&at, h, sizeof(at));
	*spare = NULL;
	for (i = 0; i < PROBES; i++) {
		s = &r->slot[(at + i) & (r->slots - 1)];
		if (s->count != 0 && now - s->begin_ms >= r->window_ms)
			s->count = 0;
		if (s->count != 0 && memcmp(s->key, key, 16) == 0)
			return (s);
		if (*spare == NULL || ((*spare)->count != 0 &&
		    (s->count == 0 || s->begin_ms < (*spare)->begin_ms)))
			*spare = s;
	}
	return (NULL);
}

uint32_t
rate_count(struct rate *r, const uint8_t key[16])
{
	struct slot	*spare, *s = rate_find(r, key, &spare);

	return (s == NULL ? 0 : s->count);
}

uint32_t
rate_add(struct rate *r, const uint8_t key[16])
{
	struct slot	*spare, *s;

	if ((s = rate_find(r, key, &spare)) == NULL) {
		s = spare;
		memcpy(s->key, key, 16);
		s->begin_ms = clock_ms();
		s->count = 0;
	}
	return (++s->count);
}

void
rate_sub(struct rate *r, const uint8_t key[16])
{
	struct slot	*spare, *s = rate_find(r, key, &spare);

	if (s != NULL && s->count > 0)
		s->count--;
}

uint32_t
rate_wait_s(struct rate *r, const uint8_t key[16])
{
	struct slot	*spare, *s = rate_find(r, key, &spare);
	uint64_t	 past;

	if (s == NULL)
		return (1);
	past = clock_ms() - s->begin_ms;
	return ((uint32_t)((r->window_ms - past + 999) / 1000));
}
