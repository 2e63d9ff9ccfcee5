/* SPDX-License-Identifier: ISC */
/* rlimits, which every platform has. */
#include <sys/resource.h>

#include <signal.h>

#include "base/log.h"
#include "sandbox.h"

static void
limit(int what, rlim_t value)
{
	struct rlimit	rl = { value, value };

	if (setrlimit(what, &rl) == -1)
		fatal("setrlimit %d", what);
}

void
sandbox_limits(uint64_t files, uint64_t fsize)
{
	struct rlimit	rl;

	limit(RLIMIT_CORE, 0);
#ifndef RELAYD_SANITIZE
	limit(RLIMIT_NPROC, 0);
	limit(RLIMIT_FSIZE, fsize);
#else
	if (fsize != 0)
		limit(RLIMIT_FSIZE, fsize);
#endif
	if (fsize != 0)
		signal(SIGXFSZ, SIG_IGN);	/* a full store is an error */
	if (files == 0 || getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	limit(RLIMIT_NOFILE, files < rl.rlim_max ? files : rl.rlim_max);
}
