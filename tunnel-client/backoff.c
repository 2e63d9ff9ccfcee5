/* SPDX-License-Identifier: ISC */
#include "client.h"

#define RETRY_AFTER_MAX_MS	3600000

void
backoff_init(struct backoff *b, uint64_t first, uint64_t max)
{
	b->first_ms = first;
	b->max_ms = max < first ? first : max;
	b->next_ms = first;
	b->earned_ms = 0;
	b->hurries = BACKOFF_HURRIES;
}

/* What it has earned; none is saved up beyond those that one can have. */
static void
hurries_earn(struct backoff *b, uint64_t lasted_ms)
{
	const uint64_t	all = (uint64_t)BACKOFF_HURRIES * BACKOFF_HURRY_MS;

	b->earned_ms += lasted_ms < all ? lasted_ms : all;
	while (b->hurries < BACKOFF_HURRIES &&
	    b->earned_ms >= BACKOFF_HURRY_MS) {
		b->earned_ms -= BACKOFF_HURRY_MS;
		b->hurries++;
	}
	if (b->hurries == BACKOFF_HURRIES)
		b->earned_ms = 0;
}

static void
backoff_note(struct backoff *b, uint64_t lasted_ms)
{
	if (lasted_ms > BACKOFF_RESET_MS)
		b->next_ms = b->first_ms;
	hurries_earn(b, lasted_ms);
}

/* 5, 10, 20 ... 300 s, each moved by up to a fifth: nobody is in step. */
static uint64_t
backoff_delay(struct backoff *b, uint64_t retry_after_ms, uint32_t random)
{
	uint64_t	delay = b->next_ms, spread;

	b->next_ms = delay > b->max_ms / 2 ? b->max_ms : delay * 2;
	spread = delay * BACKOFF_JITTER_PCT / 100;
	delay = delay - spread + (spread == 0 ? 0 : random % (2 * spread + 1));
	if (retry_after_ms > RETRY_AFTER_MAX_MS)
		retry_after_ms = RETRY_AFTER_MAX_MS;
	if (delay >= retry_after_ms)
		return (delay);
	/* Never sooner, and not all who were told the same at once. */
	spread = retry_after_ms * BACKOFF_JITTER_PCT / 100;
	return (retry_after_ms + random % (spread + 1));
}

uint64_t
backoff_next(struct backoff *b, uint64_t lasted_ms, uint64_t retry_after_ms,
    uint32_t random)
{
	backoff_note(b, lasted_ms);
	return (backoff_delay(b, retry_after_ms, random));
}

uint64_t
backoff_moved(struct backoff *b, uint64_t lasted_ms, uint32_t random)
{
	backoff_note(b, lasted_ms);
	if (b->hurries == 0)
		return (backoff_delay(b, 0, random));
	b->hurries--;
	return (random % (BACKOFF_MOVED_MS + 1));
}
