/* SPDX-License-Identifier: ISC */
/* What the whole parent shares; below everything else. */
#include "relayd.h"

static struct env	the;

struct env *
env(void)
{
	return (&the);
}
