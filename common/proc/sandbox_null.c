/* SPDX-License-Identifier: ISC */
/*
 * No platform: rlimits, and what POSIX has no word for is left out, by name.
 * What a port replaces first; `configure --enable-null` builds with it.
 */
#include <errno.h>

#include "base/log.h"
#include "imsg/msg.h"
#include "sandbox.h"

void
sandbox_sockets(void)
{
}

void
sandbox_ports(const uint16_t *v, size_t n)
{
	(void)v;
	(void)n;
}

uint32_t
sandbox_apply(int role, const char *dir, uint64_t files, uint64_t fsize)
{
	(void)role;
	(void)dir;
	sandbox_limits(files, fsize);
	log_warnx("sandbox: nothing but rlimits on this platform");
	return (SB_RLIMIT);
}

#ifdef RELAYD_TESTING
int
sandbox_try(int call)
{
	(void)call;
	return (ENOSYS);
}
#endif
