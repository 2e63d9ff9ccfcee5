/* SPDX-License-Identifier: ISC */
#include "accept.h"
#include "base/clock.h"
#include "client.h"
#include "net/listen.h"
#include "proc/proc.h"
#include "proc/trusted.h"

#define AGAIN_MS	1000	/* the system had no descriptor left */

static struct timer	again;

static void
accept_came(int fd, unsigned n, uint32_t flags, const struct addr *a)
{
	client_new(fd, n, flags, a, trusted_has(a));
}

static void
accept_later(void)
{
	listen_pause(1);
	timer_set(&again, AGAIN_MS);
}

static void
accept_again(void *arg)
{
	(void)arg;
	listen_pause(0);
}

void
accept_run(void)
{
	static const struct listen_ops	ops = { accept_came, accept_later };

	timer_init(&again, accept_again, NULL);
	listen_run(proc_base(), &ops);
}
