/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "authd/core/grant.h"
#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/cred/token_id.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "follow.h"
#include "peer.h"
#include "recheck.h"

#define RECHECK_MS	60000
#define CHUNK		256		/* looked at in one turn */
#define FLYING		64		/* questions that wait at a time */

/*
 * One walk for each of the two tables: who was looked at goes to its end.
 * Between some and the next others are heard, and a change while it goes on
 * makes it longer by no more than once around.
 */
struct walk {
	/* Ask about the next: its number, 0: nobody is there. */
	uint64_t	(*next)(struct facts_keys *);
	facts_then	  known;	/* with that number */
	unsigned	  needs;
	unsigned	  left;		/* to be looked at */
	unsigned	  flying;	/* being asked about */
	struct timer	  more;
};

static uint64_t	grants_next(struct facts_keys *);
static uint64_t	streams_next(struct facts_keys *);
static uint64_t	followers_next(struct facts_keys *);
static void	grant_known(const struct facts *, void *);
static void	stream_known(const struct facts *, void *);
static void	follower_known(const struct facts *, void *);
static void	walk_answered(struct walk *);

static struct walk	grants = { .next = grants_next, .known = grant_known,
    .needs = NEED_SCOPE };
static struct walk	streams = { .next = streams_next,
    .known = stream_known, .needs = NEED_SCOPE };
static struct walk	followers = { .next = followers_next,
    .known = follower_known, .needs = NEED_REVOKED };
static struct timer	minute;
static void		(*also)(void), (*on_revoked)(void);

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
grant_known(const struct facts *f, void *arg)
{
	struct grant	*g = grant_get((uint64_t)(uintptr_t)arg);

	if (g != NULL && !may_still(f))
		grant_end(g, END_GRANT);
	walk_answered(&grants);
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
stream_known(const struct facts *f, void *arg)
{
	struct stream	*st = stream_find((uint64_t)(uintptr_t)arg);

	if (st != NULL && st->grant == NULL && !may_still(f))
		stream_kill(st, END_GRANT);
	walk_answered(&streams);
}

/* What a follower may see is asked with each word. */
static uint64_t
followers_next(struct facts_keys *k)
{
	return (follow_rotate(&k->who));
}

static void
follower_known(const struct facts *f, void *arg)
{
	if (f->got_revoked == 0)
		follow_end((uint64_t)(uintptr_t)arg, "token revoked");
	walk_answered(&followers);
}

static void
walk_on(void *arg)
{
	struct walk		*w = arg;
	struct facts_keys	 keys = { .who = NULL };
	uint64_t		 id;
	unsigned		 n;

	for (n = 0; w->left > 0 && w->flying < FLYING && n < CHUNK; n++) {
		w->left--;
		if ((id = w->next(&keys)) == 0)
			continue;
		w->flying++;
		(void)facts_ask(w->needs, &keys, w->known,
		    (void *)(uintptr_t)id);
	}
	if (w->left > 0 && w->flying < FLYING)
		timer_set(&w->more, 0);
}

static void
walk_answered(struct walk *w)
{
	w->flying--;
	if (w->left > 0 && !timer_is_set(&w->more))
		timer_set(&w->more, 0);
}

/* One that is under way begins anew. */
static void
walk_start(struct walk *w, unsigned n)
{
	w->left = n;
	if (!timer_is_set(&w->more))
		walk_on(w);
}

static void
recheck_run(void *arg, int ok)
{
	(void)arg;
	(void)ok;
	walk_start(&grants, grant_count());
	walk_start(&streams, stream_free_count());
	walk_start(&followers, follow_count());
	if (also != NULL)
		also();
}

void
recheck_also(void (*fn)(void))
{
	also = fn;
}

void
recheck_on_revoked(void (*fn)(void))
{
	on_revoked = fn;
}

static void
revoked(void *arg, int ok)
{
	(void)arg;
	if (ok && on_revoked != NULL)
		on_revoked();
}

/* Was it given for this token, or what was issued under it; for this user? */
static int
is_about(const struct operator *who, const char *kind, const char *id)
{
	char	under[ID_SIZE];

	if (strcmp(kind, "user") == 0)
		return (strcmp(who->id, id) == 0 ||
		    strcmp(who->impersonator, id) == 0);
	token_id_parent(who->token_id, under);
	return (strcmp(who->token_id, id) == 0 || strcmp(under, id) == 0);
}

void
recheck_revoked(const char *kind, const char *id)
{
	const struct operator	*who;
	struct grant		*g;
	struct stream		*st;
	uint64_t		 number;
	unsigned		 n;

	if (id[0] == '\0')
		return;
	for (n = grant_count(); n > 0 && (g = grant_rotate()) != NULL; n--)
		if (is_about(&g->who, kind, id))
			grant_end(g, END_GRANT);
	for (n = stream_free_count(); n > 0 &&
	    (st = stream_rotate()) != NULL; n--)
		if (st->state == STREAM_OPENED && is_about(&st->who, kind, id))
			stream_kill(st, END_GRANT);
	for (n = follow_count(); n > 0 && (number = follow_rotate(&who)) != 0;
	    n--)
		if (is_about(who, kind, id))
			follow_end(number, "token revoked");
	turn_after(revoked, NULL);
	recheck_all();
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
	if (!peer_is_ready())
		return;
	walk_start(&streams, stream_free_count());
	walk_start(&followers, follow_count());
}

int
recheck_init(void)
{
	timer_init(&grants.more, walk_on, &grants);
	timer_init(&streams.more, walk_on, &streams);
	timer_init(&followers.more, walk_on, &followers);
	timer_init(&minute, recheck_due, NULL);
	timer_set(&minute, RECHECK_MS);
	return (0);
}
