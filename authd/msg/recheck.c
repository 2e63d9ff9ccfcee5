/* SPDX-License-Identifier: ISC */
#include "authd/core/grant.h"
#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "peer.h"
#include "recheck.h"

#define RECHECK_MS	60000
#define CHUNK		256		/* looked at in one turn */

/*
 * One walk for each of the two tables: who was looked at goes to its end, one
 * question waits at a time, and between some and the next others are heard. A
 * change while it goes on makes it longer by no more than once around.
 */
struct walk {
	/* Ask about the next: its number, 0: nobody is there. */
	uint64_t	(*next)(struct facts_keys *);
	void		(*end)(uint64_t);
	unsigned	  left;		/* to be looked at */
	uint64_t	  id;		/* who is asked about */
	int		  asking, answered;
	struct timer	  more;
};

static uint64_t	grants_next(struct facts_keys *);
static uint64_t	streams_next(struct facts_keys *);
static void	grants_end(uint64_t);
static void	streams_end(uint64_t);
static void	walk_on(struct walk *);

static struct walk	grants = { .next = grants_next, .end = grants_end };
static struct walk	streams = { .next = streams_next, .end = streams_end };
static struct timer	minute;

static uint64_t
grants_next(struct facts_keys *k)
{
	struct grant	*g = grant_rotate();

	if (g == NULL || g->session->over)
		return (0);
	k->who = &g->who;
	k->system_id = g->session->row.system_id;
	return (g->id);
}

static void
grants_end(uint64_t id)
{
	struct grant	*g = grant_get(id);

	if (g != NULL)
		grant_end(g, END_GRANT);
}

static uint64_t
streams_next(struct facts_keys *k)
{
	struct stream	*st = stream_rotate();

	if (st == NULL || st->state != STREAM_OPENED ||
	    st->tunnel->session == NULL)
		return (0);
	k->who = &st->who;
	k->system_id = st->tunnel->session->row.system_id;
	return (st->id);
}

static void
streams_end(uint64_t id)
{
	struct stream	*st = stream_find(id);

	if (st != NULL && st->grant == NULL)
		stream_kill(st, END_GRANT);
}

static void
walk_more(void *arg)
{
	walk_on(arg);
}

static void
walk_answer(const struct facts *f, void *arg)
{
	struct walk	*w = arg;

	if (!may_still(f))
		w->end(w->id);
	w->answered = 1;
	if (w->asking || timer_is_set(&w->more))
		return;		/* walk_on() goes on itself */
	walk_on(w);
}

static void
walk_on(struct walk *w)
{
	struct facts_keys	keys = { .who = NULL };
	unsigned		n = 0;

	w->asking = 1;
	for (w->answered = 1; w->left > 0 && w->answered && n < CHUNK;
	    w->left--, n++) {
		if ((w->id = w->next(&keys)) == 0)
			continue;
		w->answered = 0;
		(void)facts_ask(NEED_SCOPE, &keys, walk_answer, w);
	}
	w->asking = 0;
	if (w->left > 0 && w->answered)
		timer_set(&w->more, 0);
}

/* One that is under way begins anew, after its answer. */
static void
walk_start(struct walk *w, unsigned n)
{
	int	waits = w->left > 0 || !w->answered;

	w->left = n;
	if (!waits)
		walk_on(w);
}

static void
recheck_run(void *arg, int ok)
{
	(void)arg;
	(void)ok;
	walk_start(&grants, grant_count());
	walk_start(&streams, stream_free_count());
}

void
recheck_all(void)
{
	turn_after(recheck_run, NULL);
}

static void
recheck_due(void *arg)
{
	(void)arg;
	timer_set(&minute, RECHECK_MS);
	if (peer_is_ready())
		walk_start(&streams, stream_free_count());
}

int
recheck_init(void)
{
	grants.answered = streams.answered = 1;
	timer_init(&grants.more, walk_more, &grants);
	timer_init(&streams.more, walk_more, &streams);
	timer_init(&minute, recheck_due, NULL);
	timer_set(&minute, RECHECK_MS);
	return (0);
}
