/* SPDX-License-Identifier: ISC */
/* The channel to authd, as workers have it: it comes, ends, comes again. */
#include <event2/event.h>

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "imsg/call.h"
#include "imsg/imsg.h"
#include "imsg/msg.h"
#include "proc/link.h"
#include "proc/proc.h"
#include "regress/lib/tap.h"

enum { ST_LOGIN, ST_OPEN };

static struct event_base	*base;
static struct {
	int		 came, again, gone, handled, nulls;
	enum link_end	 how;
	int		 had_chan;	/* link_chan() while gone() ran */
	int		 nulls_first;	/* calls were answered before it */
} seen;

struct event_base *
proc_base(void)
{
	return (base);
}

static int
on_probe(struct chan *c, struct imsg *m)
{
	(void)c;
	(void)m;
	seen.handled++;
	return (0);
}

static int
on_answer(struct chan *c, struct imsg *m, void *arg)
{
	(void)c;
	(void)arg;
	seen.nulls += m == NULL;
	return (0);
}

static void
came(int again)
{
	seen.came++;
	seen.again = again;
}

static void
gone(enum link_end how)
{
	seen.gone++;
	seen.how = how;
	seen.had_chan = link_chan() != NULL;
	seen.nulls_first = seen.nulls;
}

static const struct dispatch	table[] = {
	{ IMSG_PROBE, R_AUTHD, S(ST_OPEN), MF_REQUEST, on_probe },
	{ IMSG_ALIVE, R_AUTHD, S_ANY, MF_ANSWER, NULL },
};
static const struct link_ops	ops = { .table = table, .rows = 2,
    .came = came, .gone = gone };
static const struct link_ops	deaf = { .table = table, .rows = 2 };

/* Of one that has to be answered by the old one first. */
static int	paused, unpaused, more;

static void
pause_it(int on)
{
	if (on)
		paused++;
	else
		unpaused++;
}

static int
more_comes(void)
{
	return (more);
}

static const struct link_ops	careful = { .table = table, .rows = 2,
    .came = came, .gone = gone, .pause = pause_it, .waits = more_comes };

static void
turn(void)
{
	int	i;

	for (i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* A channel from the parent; returns authd's end. */
static int
fresh(void)
{
	int	sv[2];

	memset(&seen, 0, sizeof(seen));
	if (imsg_pair(sv) == -1)
		fatal("imsg_pair");
	is_int(link_take(sv[0], 0), 0, "a channel comes");
	return (sv[1]);
}

static void
put(int far, uint32_t type, uint32_t id, const char *field, size_t len)
{
	uint8_t	packet[IMSG_HDR + 1] = { 0 };

	memcpy(packet, &type, 4);
	memcpy(packet + 4, &id, 4);
	memcpy(packet + IMSG_HDR, field, len);
	if (imsg_send(far, packet, IMSG_HDR + len, -1) == -1)
		fatal("imsg_send");
	turn();
}

static void
probe(int far)
{
	put(far, IMSG_PROBE, 9, "", 0);
}

static void
test_ends(void)
{
	struct call	call = { .chan = NULL };
	int		far;

	link_init(&ops);
	ok(link_chan() == NULL, "at first there is none");
	link_flush();
	link_set_state(ST_OPEN);
	far = fresh();
	ok(seen.came == 1 && !seen.again && link_chan() != NULL,
	    "the first one, and its owner is told");
	probe(far);
	is_int(seen.handled, 1, "it has the state that was set before it came");
	ok(call_start(&call, link_chan(), 60000, on_answer, NULL) != 0,
	    "a question is put on it");
	close(far);
	turn();
	ok(seen.gone == 1 && seen.how == LINK_ENDED && !seen.had_chan &&
	    link_chan() == NULL, "authd ends: it is gone, and says so once");
	ok(seen.nulls == 1 && seen.nulls_first == 1 && !call_waits(&call),
	    "what was asked is answered with nothing before that");

	far = fresh();
	ok(seen.came == 1 && seen.again, "another one");
	link_set_state(ST_LOGIN);
	probe(far);
	ok(seen.gone == 1 && seen.how == LINK_OFFENCE && seen.handled == 0 &&
	    link_chan() == NULL,
	    "what authd may not say in this state ends it");
	close(far);
}

static void
test_replaced(void)
{
	struct call	call = { .chan = NULL };
	int		old, far;

	link_set_state(ST_OPEN);
	old = fresh();
	(void)call_start(&call, link_chan(), 60000, on_answer, NULL);
	far = fresh();
	ok(seen.gone == 1 && seen.how == LINK_REPLACED && !seen.had_chan,
	    "one comes before the end of the other was seen");
	ok(seen.nulls_first == 1 && seen.came == 1 && seen.again &&
	    link_chan() != NULL,
	    "the old one's questions end, the new one is there");
	probe(far);
	is_int(seen.handled, 1, "and it is heard");
	close(far);
	turn();
	close(old);
	link_init(&deaf);
	far = fresh();
	close(far);
	turn();
	ok(link_chan() == NULL, "nobody needs to be told");
}

/* Turn until it has happened; the clock is the machine's. */
static int
soon(const int *what)
{
	int	i;

	for (i = 0; i < 4000 && *what == 0; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	return (*what);
}

static void
test_careful(void)
{
	struct call	call = { .chan = NULL };
	struct chan	*before;
	uint32_t	 id;
	int		 old, next, third;

	link_init(&careful);
	old = fresh();
	next = fresh();
	ok(seen.gone == 1 && seen.came == 1 && paused == 0,
	    "nothing was asked: the next one is used at once");
	close(old);
	old = next;
	before = link_chan();
	id = call_start(&call, before, 60000, on_answer, NULL);
	next = fresh();
	ok(seen.gone == 0 && seen.came == 0 && paused == 1 &&
	    link_chan() == before, "something was: the old one stays");
	probe(old);
	is_int(seen.handled, 1, "and is heard");
	third = fresh();
	ok(seen.came == 0 && paused == 1, "a later one is the next instead");
	more = 1;
	put(old, IMSG_ALIVE, id, "\1", 1);
	ok(!call_waits(&call) && seen.nulls == 0, "it is answered");
	ok(link_chan() == before && unpaused == 0, "but more is to come");
	more = 0;
	ok(soon(&unpaused) == 1 && seen.gone == 1 && seen.came == 1 &&
	    seen.how == LINK_REPLACED, "that was all: the next one is used");
	probe(third);
	is_int(seen.handled, 1, "and heard");
	close(old);
	close(next);

	/* The old one ends before it has answered; or it never does. */
	unpaused = 0;
	(void)call_start(&call, link_chan(), 60000, on_answer, NULL);
	next = fresh();
	close(third);
	turn();
	ok(unpaused == 1 && seen.nulls == 1 && seen.gone == 1 &&
	    seen.how == LINK_ENDED && seen.came == 1,
	    "it ends: the next one is used");
	unpaused = 0;
	(void)call_start(&call, link_chan(), 60000, on_answer, NULL);
	third = fresh();
	ok(soon(&unpaused) == 1 && seen.nulls == 1 &&
	    seen.how == LINK_REPLACED, "it does not answer: not for ever");
	close(next);
	close(third);
	turn();
}

int
main(void)
{
	log_init("test", -1, 0);
	if ((base = event_base_new()) == NULL)
		return (1);
	clock_init(base);
	test_ends();
	test_replaced();
	test_careful();
	clock_clear();
	event_base_free(base);
	return (done_testing());
}
