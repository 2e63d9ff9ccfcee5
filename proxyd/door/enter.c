/* SPDX-License-Identifier: ISC */
/* Accepting: what may come in at all. */
#include "base/log.h"
#include "conn.h"
#include "enter.h"
#include "imsg/imsg.h"
#include "limits.h"
#include "peer.h"
#include "plain.h"
#include "metrics/count.h"
#include "net/brought.h"
#include "net/listen.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "proc/trusted.h"

static void
enter_brought(int fd, unsigned n, uint32_t flags, const struct addr *a)
{
	(void)n;
	enter(fd, flags, a, NULL);
}

static void
enter_here(int fd, unsigned n, uint32_t flags, const struct addr *a)
{
	if (flags & (LISTEN_PROXY | LISTEN_PEER))
		brought(fd, n, flags, a, NULL);
	else
		enter(fd, flags, a, NULL);
}

void
enter_plain(int fd, uint32_t flags, const struct addr *a,
    const struct plain *from)
{
	if (flags & LISTEN_PEER)
		brought(fd, 0, flags, a, from);
	else
		enter(fd, flags, a, from);
}

static void
enter_refused(const struct plain *from)
{
	struct plain	p = *from;

	count(CT_DROP_HEADER);
	plain_end(&p, 0);
}

void
enter_run(void)
{
	/* None of ours may ever go: time has to. */
	static const struct listen_ops	ops = { enter_here, limits_again };
	static const struct brought_ops	brings = { enter_brought,
	    peer_came, enter_refused, limits_fds };

	limits_init(listen_pause, conn_shed);
	brought_init(proc_base(), &brings);
	listen_run(proc_base(), &ops);
}

void
enter(int fd, uint32_t flags, const struct addr *a, const struct plain *from)
{
	static unsigned long	dropped;
	int			trusted = flags & LISTEN_FORWARDED ?
				    (flags & LISTEN_VOUCHED) != 0 :
				    !(flags & LISTEN_UNNAMED) && trusted_has(a);

	if (conn_admit(a, trusted && !(flags & LISTEN_FORWARDED)) == -1) {
		count(CT_DROP_EARLY);
		if (dropped++ % 1000 == 0)
			log_info("connections dropped early: %lu", dropped);
		imsg_close_fd(fd);
		return;
	}
	if (listen_has(LISTEN_ADMIN) && !(flags & (LISTEN_ADMIN |
	    LISTEN_FORWARDED)))
		flags |= LISTEN_NO_ADMIN;
	conn_new(fd, flags, a, trusted, from);
}
