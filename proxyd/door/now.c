/* SPDX-License-Identifier: ISC */
#include "base/clock.h"
#include "now.h"

static uint64_t	now;		/* 0: not asked in this turn */

uint64_t
now_ms(void)
{
	if (now == 0)
		now = clock_ms();
	return (now);
}

void
now_over(void)
{
	now = 0;
}
