/* SPDX-License-Identifier: ISC */
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "link.h"
#include "proc.h"

static struct {
	const struct link_ops	*ops;
	struct chan		*chan;
	int			 state;
	int			 seen;		/* there has been one */
	/* the one that follows, while there are answers to come; -1 */
	int			 next;
	unsigned		 next_protocol;
	uint64_t		 until_ms;
	struct timer		 timer;
} authd = { .next = -1 };

#define LOOK_MS		5	/* between two looks whether they have come */

static void	link_use(int, unsigned);
static void	link_next(void *);

void
link_init(const struct link_ops *ops)
{
	authd.ops = ops;
}

static void
link_gone(enum link_end how)
{
	if (authd.ops->gone != NULL)
		authd.ops->gone(how);
}

static void
link_closed(struct chan *c, int offence, const char *reason)
{
	if (offence)
		log_warnx("authd: %s", reason);
	else
		log_debug("authd: %s", reason);
	authd.chan = NULL;
	chan_free(c);
	link_gone(offence ? LINK_OFFENCE : LINK_ENDED);
	if (authd.next != -1)
		link_next(NULL);
}

/* Is there something that only the old one can answer? */
static int
link_waits(void)
{
	return (link_chan() != NULL && clock_ms() < authd.until_ms &&
	    (chan_calls(authd.chan) > 0 ||
	    (authd.ops->waits != NULL && authd.ops->waits())));
}

static void
link_next(void *arg)
{
	int	fd = authd.next;

	(void)arg;
	if (link_waits()) {
		timer_set(&authd.timer, LOOK_MS);
		return;
	}
	timer_del(&authd.timer);
	authd.next = -1;
	link_use(fd, authd.next_protocol);
	authd.ops->pause(0);
}

int
link_take(int fd, unsigned protocol)
{
	authd.next_protocol = protocol;
	if (authd.next != -1) {
		close(authd.next);
		authd.next = fd;
		return (0);
	}
	authd.until_ms = clock_ms() + LINK_WAIT_MS;
	if (authd.ops->pause == NULL || !link_waits()) {
		link_use(fd, protocol);
		return (0);
	}
	authd.next = fd;
	authd.ops->pause(1);
	timer_init(&authd.timer, link_next, NULL);
	timer_set(&authd.timer, LOOK_MS);
	return (0);
}

static void
link_use(int fd, unsigned protocol)
{
	struct chan	*old = authd.chan;
	int		 again = authd.seen;

	authd.chan = NULL;
	authd.seen = 1;
	if (old != NULL) {
		chan_free(old);
		link_gone(LINK_REPLACED);
	}
	authd.chan = chan_new(proc_base(), fd, ROLE_AUTHD, authd.ops->table,
	    authd.ops->rows, link_closed, NULL);
	/* Nobody would send another: who starts anew gets one. */
	if (authd.chan == NULL)
		fatal("channel to authd");
	chan_speak(authd.chan, protocol);
	chan_hear(authd.chan, protocol);
	chan_set_state(authd.chan, authd.state);
	if (authd.ops->came != NULL)
		authd.ops->came(again);
}

struct chan *
link_chan(void)
{
	return (authd.chan != NULL && !chan_is_closed(authd.chan) ?
	    authd.chan : NULL);
}

void
link_set_state(int state)
{
	authd.state = state;
	if (authd.chan != NULL)
		chan_set_state(authd.chan, state);
}

void
link_flush(void)
{
	if (authd.chan != NULL)
		(void)chan_flush(authd.chan);
}
