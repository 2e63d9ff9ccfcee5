/* SPDX-License-Identifier: ISC */
#include "base/clock.h"
#include "now.h"

const struct now *
now_at(void)
{
	static struct now	now;

	now.ms = clock_ms();
	now.wall_ms = clock_wall_ms();
	return (&now);
}
