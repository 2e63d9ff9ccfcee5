/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "ahead.h"

#define STEP		(8 * 1024)	/* bytes between two marks */
#define AHEAD_MAX	(1024 * 1024)
#define QUICK_MS	200	/* to the pong: it may be more */
#define SLOW_MS		600	/* less */

void
ahead_init(struct ahead *a)
{
	memset(a, 0, sizeof(*a));
	a->max = AHEAD_MIN;
}

void
ahead_sent(struct ahead *a, size_t n)
{
	a->sent += n;
}

int
ahead_wants(const struct ahead *a)
{
	return (!a->off && a->sent > a->marked &&
	    (a->marked == 0 || a->sent - a->marked >= STEP));
}

void
ahead_mark(struct ahead *a, uint8_t mark[AHEAD_MARK], uint64_t now_ms)
{
	memcpy(mark, &a->sent, sizeof(a->sent));
	memcpy(mark + sizeof(a->sent), &now_ms, sizeof(now_ms));
	a->marked = a->sent;
}

void
ahead_pong(struct ahead *a, const uint8_t *p, size_t len, uint64_t now_ms)
{
	uint64_t	read, then, took;
	int		full = a->sent - a->read >= a->max / 2;

	if (len != AHEAD_MARK)
		return;
	memcpy(&read, p, sizeof(read));
	memcpy(&then, p + sizeof(read), sizeof(then));
	if (read <= a->read || read > a->marked || then > now_ms)
		return;
	a->read = read;
	a->heard = 1;
	took = now_ms - then;
	if (took < QUICK_MS && full && a->max < AHEAD_MAX)
		a->max *= 2;
	else if (took > SLOW_MS && a->max > AHEAD_MIN)
		a->max /= 2;
}

int
ahead_has_room(const struct ahead *a)
{
	return (a->off || a->sent - a->read < a->max);
}
