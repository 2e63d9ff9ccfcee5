/* SPDX-License-Identifier: ISC */
#include "accept.h"
#include "base/clock.h"
#include "client.h"
#include "imsg/msg.h"
#include "metrics/count.h"
#include "net/brought.h"
#include "net/listen.h"
#include "proc/proc.h"
#include "proc/trusted.h"

#define AGAIN_MS	1000	/* the system had no descriptor left */

static struct timer	again;

static void
accept_brought(int fd, unsigned n, uint32_t flags, const struct addr *a)
{
	/* A member stands for all the clients whose requests it passes on. */
	client_new(fd, n, flags, a, (flags & LISTEN_PEER) ||
	    (!(flags & LISTEN_UNNAMED) && trusted_has(a)));
}

static void
accept_came(int fd, unsigned n, uint32_t flags, const struct addr *a)
{
	if (flags & LISTEN_PROXY)
		brought(fd, n, flags, a, NULL);
	else
		accept_brought(fd, n, flags, a);
}

static void
accept_refused(const struct plain *plain)
{
	(void)plain;
	count(CT_TLS_FAIL_HEADER);
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

	static const struct brought_ops	brings = { accept_brought, NULL,
	    accept_refused, client_others };

	timer_init(&again, accept_again, NULL);
	brought_init(proc_base(), &brings);
	listen_run(proc_base(), &ops);
}
