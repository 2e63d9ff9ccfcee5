/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <fcntl.h>
#include <stdlib.h>

#include "base/log.h"
#include "doors.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "metrics/count.h"
#include "proc/conf.h"
#include "proc/proc.h"

struct door {
	TAILQ_ENTRY(door)	 entry;		/* whose turn it is, first */
	struct chan		*chan;
	uint64_t		 instance;
	int			 leaving;	/* wants no more */
	unsigned		 asked;		/* what it waits for */
	unsigned		 out;		/* to members, that last */
};

static struct {
	TAILQ_HEAD(, door)	 all;
	const struct door_ops	*ops;
	int			 left;		/* we leave */
} doors = { .all = TAILQ_HEAD_INITIALIZER(doors.all) };

static int	on_end(struct chan *, struct imsg *);
static int	on_leave(struct chan *, struct imsg *);
static int	on_secure(struct chan *, struct imsg *);

static const struct dispatch	table[] = {
	{ IMSG_PLAIN_END, R_PROXYD, S_ANY, 0, on_end },
	{ IMSG_PLAIN_LEAVE, R_PROXYD, S_ANY, 0, on_leave },
	{ IMSG_SECURE, R_PROXYD, S_ANY, MF_REQUEST, on_secure },
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

/* A socket that waits is made one that does not. */
static int
on_secure(struct chan *c, struct imsg *m)
{
	struct msg_secure	 in;
	struct door		*d = chan_arg(c);
	int			 fl;

	if (get_secure(m, &in) == -1 || m->fd == -1 || in.member[0] == '\0' ||
	    proc_conf()->cluster_ca_file[0] == '\0' ||
	    (fl = fcntl(m->fd, F_GETFL)) == -1 ||
	    fcntl(m->fd, F_SETFL, fl | O_NONBLOCK) == -1)
		return (-1);
	if (d->asked++ >= REACHES_MAX) {
		doors_failed(d->instance, m->id, "too many are being secured");
		return (0);
	}
	doors.ops->reach(d->instance, m->id, m_take_fd(m), in.member);
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
	if (doors.left)
		(void)say_secure_leave(d->chan, 0);
	doors.ops->came();
	return (0);
}

static struct door *
door_find(uint64_t door)
{
	struct door	*d;

	TAILQ_FOREACH(d, &doors.all, entry)
		if (d->instance == door)
			break;
	return (d);
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
	struct door	*d = door_find(door);

	if (d == NULL)
		return (0);
	chan_pump(d->chan);
	/* It may have ended by what it said. */
	return (door_find(door) != NULL);
}

void
doors_reached(uint64_t door, uint32_t asked, int fd, uint64_t id)
{
	struct door	*d = door_find(door);

	if (d == NULL) {
		imsg_close_fd(fd);
		return;
	}
	d->asked--;
	(void)say_secured(d->chan, asked, fd, &(struct msg_secured){
	    .id = id });
}

void
doors_ended(uint64_t door, uint64_t id)
{
	struct door	*d = door_find(door);

	if (d != NULL)
		(void)say_secure_end(d->chan, 0, -1, &(struct msg_secure_end){
		    .id = id });
}

void
doors_failed(uint64_t door, uint32_t asked, const char *why)
{
	struct door	*d = door_find(door);

	count(CT_TLS_FAIL_MEMBER);
	if (d == NULL)
		return;
	d->asked--;
	(void)say_secure_failed(d->chan, asked, -1,
	    &(struct msg_secure_failed){ .why = why });
}

unsigned
doors_out(uint64_t door, int by)
{
	struct door	*d = door_find(door);

	return (d != NULL ? d->out += (unsigned)by : 0);
}

void
doors_leave(void)
{
	struct door	*d;

	doors.left = 1;
	TAILQ_FOREACH(d, &doors.all, entry)
		(void)say_secure_leave(d->chan, 0);
}

int
doors_need_us(void)
{
	const struct door	*d;

	TAILQ_FOREACH(d, &doors.all, entry)
		if (d->leaving && proc_conf()->cluster_ca_file[0] != '\0')
			return (1);
	return (0);
}
