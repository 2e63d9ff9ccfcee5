/* SPDX-License-Identifier: ISC */
/*
 * Who hangs is ended. Each second every standing child is asked (PING) and has
 * five seconds to answer; a worker, whose hanging hurts one tunnel or terminal,
 * is asked when it has been silent for long: one that is awake anyway says PONG
 * of itself, so that ten thousand that sleep are not woken. We are watched
 * ourselves by the service manager, which hears from us each second as long as
 * we, and those who have to be there, are well (sd_notify(3), WatchdogSec).
 *
 * Seconds are counted in rounds of our own loop, not by the clock: whatever
 * held us up, an answer that has come is read before its sender is blamed.
 */
#include <event2/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "metrics/count.h"
#include "relayd.h"

#define PATIENCE_S	5	/* from PING to PONG */
#define FIRST_S		600	/* the first: authd may have a store to mend */
#define WORKER_MS	80000	/* of silence, until a worker is asked */
#define UNASKED_MS	20000	/* it is said every 45 s at most */

static struct {
	struct event	*ev;
	int		 off;	/* RELAYD_TEST_NO_WATCHDOG */
} watch;

/* It answers; the first time it may take as long as its store does. */
static void
watch_well(struct child *c)
{
	if (c->slot != NULL && c->state == CHILD_READY && c->chan != NULL &&
	    (c->silent_s <= 2 || !c->answered))
		c->slot->well_ms = clock_ms();
}

/* It has been asked, or is to be asked now. */
static void
watch_child(struct child *c)
{
	if (c->state != CHILD_READY || c->chan == NULL)
		return;
	if (c->silent_s == 0) {
		if (say_ping(c->chan, 0) == 0)
			c->silent_s = 1;
		return;
	}
	if (++c->silent_s > (c->answered ? PATIENCE_S : FIRST_S) + 1)
		kill_hung(c, "does not answer");
}

void
watch_round(void)
{
	uint64_t	 now = clock_ms();
	struct child	*c;

	for (c = child_standing(NULL); c != NULL; c = child_standing(c)) {
		watch_child(c);
		watch_well(c);
	}
	for (c = child_silent(NULL); c != NULL &&
	    now - c->heard_ms >= WORKER_MS; c = child_silent(c))
		watch_child(c);
}

int
watch_on_pong(struct chan *chan, struct imsg *m)
{
	struct child	*c = chan_arg(chan);

	if (get_pong(m) == -1 || (c->silent_s == 0 &&
	    ((R_STANDING & ROLE_BIT(c->role)) ||
	    clock_ms() - c->heard_ms < UNASKED_MS)))
		return (-1);
	c->silent_s = 0;
	child_heard(c);
	c->answered = 1;
	return (0);
}

/* What `systemctl status` shows, when it has changed. */
static void
watch_status(void)
{
	static uint64_t	last_tunnels = UINT64_MAX, last_terminals;
	uint64_t	tunnels = counts[CT_TUNNELS];
	uint64_t	terminals = child_count(ROLE_TERMD);
	char		text[128];

	if (env()->stopping || (tunnels == last_tunnels &&
	    terminals == last_terminals))
		return;
	last_tunnels = tunnels;
	last_terminals = terminals;
	snprintf(text, sizeof(text), "STATUS=%llu %s, %llu %s",
	    (unsigned long long)tunnels, tunnels == 1 ? "tunnel" : "tunnels",
	    (unsigned long long)terminals, terminals == 1 ? "terminal" :
	    "terminals");
	notify_tell(text);
}

static void
watch_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (!watch.off)
		watch_round();
	usage_round();
	watch_status();
	if (watch.off || supervise_is_well())
		notify_tell("WATCHDOG=1");
}

void
watch_init(void)
{
	static const struct timeval	second = { 1, 0 };

#ifdef RELAYD_TESTING
	watch.off = getenv("RELAYD_TEST_NO_WATCHDOG") != NULL;
#endif
	watch.ev = event_new(env()->base, -1, EV_PERSIST, watch_tick, NULL);
	if (watch.ev == NULL || event_add(watch.ev, &second) == -1)
		fatalx("watchdog: out of memory");
}

void
watch_clear(void)
{
	event_free(watch.ev);
}
