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
	TAILQ_ENTRY(tlsd)	 entry;		/* whose turn it is, first */
	struct chan		*chan;
	int			 leaves;
};

static TAILQ_HEAD(, tlsd)	tlsds = TAILQ_HEAD_INITIALIZER(tlsds);
static int			stopped, leaving;
static void			(*came)(int, uint32_t, const struct addr *,
				    const struct plain *);

static void			(*said_all)(const struct plain *);

static int	on_plain(struct chan *, struct imsg *);
static int	on_secure_end(struct chan *, struct imsg *);
static int	on_secure_leave(struct chan *, struct imsg *);

static const struct dispatch	table[] = {
	{ IMSG_PLAIN, R_TLSD, S_ANY, 0, on_plain },
	{ IMSG_SECURED, R_TLSD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_SECURE_FAILED, R_TLSD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_SECURE_END, R_TLSD, S_ANY, 0, on_secure_end },
	{ IMSG_SECURE_LEAVE, R_TLSD, S_ANY, 0, on_secure_leave },
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
	TAILQ_REMOVE(&tlsds, t, entry);
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
	TAILQ_INSERT_HEAD(&tlsds, t, entry);
	if (leaving)
		(void)say_plain_leave(t->chan, 0);
	return (0);
}

void
plain_leave(void)
{
	struct tlsd	*t;

	leaving = 1;
	TAILQ_FOREACH(t, &tlsds, entry)
		(void)say_plain_leave(t->chan, 0);
}

void
plain_stop(void)
{
	stopped = 1;
}

/* What it may say of its listener: as much as one with tls can be. */
static int
is_of_tls(uint32_t flags)
{
	return ((flags & LISTEN_TLS) && (flags == (LISTEN_TLS | LISTEN_PEER) ||
	    !(flags & ~(uint32_t)(LISTEN_TLS | LISTEN_TUNNEL | LISTEN_PAIR |
	    LISTEN_RELAY | LISTEN_ONLY | LISTEN_UNNAMED))));
}

static int
on_plain(struct chan *c, struct imsg *m)
{
	struct msg_plain	in;
	struct plain		from = { .tlsd = chan_instance(c) };
	struct addr		a;
	int			fl;

	if (get_plain(m, &in) == -1 || m->fd == -1 || in.id == 0 ||
	    !is_of_tls(in.flags) ||
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

/* To the one that it came from, if that is still there; else NULL. */
static struct chan *
tlsd_of(const struct plain *p)
{
	struct tlsd	*t;

	TAILQ_FOREACH(t, &tlsds, entry)
		if (chan_instance(t->chan) == p->tlsd)
			return (t->chan);
	return (NULL);
}

void
plain_end(struct plain *p, int clean)
{
	struct chan	*c;

	if (p->id == 0)
		return;
	if ((c = tlsd_of(p)) != NULL)
		(void)say_plain_end(c, 0, -1,
		    &(struct msg_plain_end){ .id = p->id,
		    .clean = (uint8_t)clean });
	memset(p, 0, sizeof(*p));
}

/* To other members. */

void
plain_on_secure_end(void (*fn)(const struct plain *))
{
	said_all = fn;
}

static int
on_secure_end(struct chan *c, struct imsg *m)
{
	struct msg_secure_end	in;

	if (get_secure_end(m, &in) == -1 || in.id == 0)
		return (-1);
	said_all(&(struct plain){ .tlsd = chan_instance(c), .id = in.id });
	return (0);
}

void
plain_hear(const struct plain *p)
{
	struct chan	*c = tlsd_of(p);

	if (c != NULL)
		chan_pump(c);
}

static int
on_secure_leave(struct chan *c, struct imsg *m)
{
	struct tlsd	*t = chan_arg(c);

	if (get_secure_leave(m) == -1)
		return (-1);
	t->leaves = 1;
	return (0);
}

/* One that leaves stays for those of us that do as well; or is all there is. */
int
plain_secure(struct call *k, int fd, const char *member, chan_done_fn done,
    void *arg)
{
	struct tlsd	*t;
	uint32_t	 id = 0;
	int		 any = leaving;

	do
		TAILQ_FOREACH(t, &tlsds, entry)
			if ((any || !t->leaves) && (id = call_start(k, t->chan,
			    SECURE_MS, done, arg)) != 0)
				break;
	while (t == NULL && !any++);
	if (t == NULL) {
		imsg_close_fd(fd);
		return (-1);
	}
	TAILQ_REMOVE(&tlsds, t, entry);
	TAILQ_INSERT_TAIL(&tlsds, t, entry);
	(void)say_secure(t->chan, id, fd, &(struct msg_secure){
	    .member = member });
	return (0);
}
