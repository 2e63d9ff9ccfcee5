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
static const struct link_ops	ops = { table, 2, came, gone };
static const struct link_ops	deaf = { table, 2, NULL, NULL };

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
	is_int(link_take(sv[0]), 0, "a channel comes");
	return (sv[1]);
}

static void
probe(int far)
{
	uint8_t		packet[IMSG_HDR] = { 0 };
	uint32_t	type = IMSG_PROBE, id = 9;

	memcpy(packet, &type, 4);
	memcpy(packet + 4, &id, 4);
	if (imsg_send(far, packet, sizeof(packet), -1) == -1)
		fatal("imsg_send");
	turn();
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

int
main(void)
{
	log_init("test", -1, 0);
	if ((base = event_base_new()) == NULL)
		return (1);
	clock_init(base);
	test_ends();
	test_replaced();
	clock_clear();
	event_base_free(base);
	return (done_testing());
}
