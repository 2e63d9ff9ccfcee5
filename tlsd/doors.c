/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdlib.h>

#include "base/log.h"
#include "doors.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "proc/proc.h"

struct door {
	TAILQ_ENTRY(door)	 entry;		/* whose turn it is, first */
	struct chan		*chan;
	uint64_t		 instance;
	int			 leaving;	/* wants no more */
};

static struct {
	TAILQ_HEAD(, door)	 all;
	const struct door_ops	*ops;
} doors = { .all = TAILQ_HEAD_INITIALIZER(doors.all) };

static int	on_end(struct chan *, struct imsg *);
static int	on_leave(struct chan *, struct imsg *);

static const struct dispatch	table[] = {
	{ IMSG_PLAIN_END, R_PROXYD, S_ANY, 0, on_end },
	{ IMSG_PLAIN_LEAVE, R_PROXYD, S_ANY, 0, on_leave },
};

void
doors_init(const struct door_ops *ops)
{
	doors.ops = ops;
}

static int
on_end(struct chan *c, struct imsg *m)
{
	struct msg_plain_end	 in;
	const struct door	*d = chan_arg(c);

	if (get_plain_end(m, &in) == -1 || in.clean > 1)
		return (-1);
	return (doors.ops->ended(d->instance, in.id, in.clean));
}

static int
on_leave(struct chan *c, struct imsg *m)
{
	struct door	*d = chan_arg(c);

	if (get_plain_leave(m) == -1)
		return (-1);
	d->leaving = 1;
	return (0);
}

static void
door_closed(struct chan *c, int offence, const char *reason)
{
	struct door	*d = chan_arg(c);
	uint64_t	 instance = d->instance;

	if (offence)
		log_warnx("proxyd %llu: %s", (unsigned long long)instance,
		    reason);
	TAILQ_REMOVE(&doors.all, d, entry);
	chan_free(c);
	free(d);
	doors.ops->gone(instance);
}

int
doors_peer(int fd, uint64_t instance, unsigned protocol)
{
	struct door	*d = calloc(1, sizeof(*d));

	if (d == NULL || (d->chan = chan_new(proc_base(), fd, ROLE_PROXYD,
	    table, sizeof(table) / sizeof(table[0]), door_closed, d)) ==
	    NULL) {
		free(d);
		return (-1);
	}
	chan_speak(d->chan, protocol);
	chan_hear(d->chan, protocol);
	d->instance = instance;
	TAILQ_INSERT_TAIL(&doors.all, d, entry);
	doors.ops->came();
	return (0);
}

int
doors_has(void)
{
	const struct door	*d;

	TAILQ_FOREACH(d, &doors.all, entry)
		if (!d->leaving)
			return (1);
	return (0);
}

uint64_t
doors_give(int fd, const struct msg_plain *what)
{
	struct door	*d;

	TAILQ_FOREACH(d, &doors.all, entry)
		if (!d->leaving && chan_queued(d->chan) < CHAN_QUEUE_HIGH)
			break;
	if (d == NULL) {
		imsg_close_fd(fd);
		return (0);
	}
	TAILQ_REMOVE(&doors.all, d, entry);
	TAILQ_INSERT_TAIL(&doors.all, d, entry);
	return (say_plain(d->chan, 0, fd, what) == 0 ? d->instance : 0);
}

int
doors_hear(uint64_t door)
{
	struct door	*d;

	TAILQ_FOREACH(d, &doors.all, entry)
		if (d->instance == door)
			break;
	if (d == NULL)
		return (0);
	chan_pump(d->chan);
	/* It may have ended by what it said. */
	TAILQ_FOREACH(d, &doors.all, entry)
		if (d->instance == door)
			break;
	return (d != NULL);
}
