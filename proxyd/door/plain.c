/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/log.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "plain.h"
#include "proc/proc.h"

struct tlsd {
	LIST_ENTRY(tlsd)	 entry;
	struct chan		*chan;
};

static LIST_HEAD(, tlsd)	tlsds = LIST_HEAD_INITIALIZER(tlsds);
static int			stopped, leaving;
static void			(*came)(int, uint32_t, const struct addr *,
				    const struct plain *);

static int	on_plain(struct chan *, struct imsg *);

static const struct dispatch	table[] = {
	{ IMSG_PLAIN, R_TLSD, S_ANY, 0, on_plain },
};

void
plain_init(void (*fn)(int, uint32_t, const struct addr *,
    const struct plain *))
{
	came = fn;
}

static void
tlsd_closed(struct chan *c, int offence, const char *reason)
{
	struct tlsd	*t = chan_arg(c);

	if (offence)
		log_warnx("tlsd %llu: %s",
		    (unsigned long long)chan_instance(c), reason);
	LIST_REMOVE(t, entry);
	chan_free(c);
	free(t);
}

int
plain_peer(int fd, int role, uint64_t instance, unsigned protocol)
{
	struct tlsd	*t = calloc(1, sizeof(*t));

	if (role != ROLE_TLSD || t == NULL || (t->chan = chan_new(proc_base(),
	    fd, role, table, sizeof(table) / sizeof(table[0]), tlsd_closed,
	    t)) == NULL) {
		free(t);
		return (-1);
	}
	chan_speak(t->chan, protocol);
	chan_hear(t->chan, protocol);
	chan_set_instance(t->chan, instance);
	LIST_INSERT_HEAD(&tlsds, t, entry);
	if (leaving)
		(void)say_plain_leave(t->chan, 0);
	return (0);
}

void
plain_leave(void)
{
	struct tlsd	*t;

	leaving = 1;
	LIST_FOREACH(t, &tlsds, entry)
		(void)say_plain_leave(t->chan, 0);
}

void
plain_stop(void)
{
	stopped = 1;
}

/* What it says of its listener goes so far as a listener with tls can. */
static int
on_plain(struct chan *c, struct imsg *m)
{
	struct msg_plain	in;
	struct plain		from = { .tlsd = chan_instance(c) };
	struct addr		a;
	int			fl;

	if (get_plain(m, &in) == -1 || m->fd == -1 || in.id == 0 ||
	    !(in.flags & LISTEN_TLS) ||
	    (in.flags & ~(uint32_t)(LISTEN_TLS | LISTEN_TUNNEL |
	    LISTEN_PAIR | LISTEN_RELAY | LISTEN_ONLY | LISTEN_UNNAMED)) ||
	    addr_parse(&a, in.addr, strlen(in.addr)) == -1)
		return (-1);
	from.id = in.id;
	/* As it should be; and no tlsd can take that off again. */
	if ((fl = fcntl(m->fd, F_GETFL)) == -1 ||
	    fcntl(m->fd, F_SETFL, fl | O_NONBLOCK) == -1)
		return (-1);
	if (!stopped)
		came(m_take_fd(m), in.flags, &a, &from);
	return (0);
}

void
plain_end(struct plain *p, int clean)
{
	struct tlsd	*t;

	if (p->id == 0)
		return;
	LIST_FOREACH(t, &tlsds, entry)
		if (chan_instance(t->chan) == p->tlsd)
			(void)say_plain_end(t->chan, 0, -1,
			    &(struct msg_plain_end){ .id = p->id,
			    .clean = (uint8_t)clean });
	memset(p, 0, sizeof(*p));
}
