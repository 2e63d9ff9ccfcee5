/* SPDX-License-Identifier: ISC */
/*
 * Of several members one has a relay session, and the store says which. What
 * one had that is gone, another takes to which a peer comes: an update that
 * says whose it was, and then the row as it is, so that two never do.
 */
#include <stdlib.h>
#include <string.h>

#include "authd/store/store.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "proc/proc.h"
#include "relay.h"
#include "ws/ws.h"

#define WHERE_MS	2500	/* proxyd waits for 3 s */
#define SWEEP_MS	60000	/* between two looks at what nobody has */
#define QUIET_MS	5000	/* nothing has moved: its peers can go */
#define COMING_MS	12000	/* somebody was let in, and is not there */

static struct {
	uint64_t	number;		/* of the look, 0: none yet */
	uint64_t	until;		/* those that we had when it began */
	char		after[RELAY_TEXT];
	int		looking;	/* a question is under way */
	int		hurry;		/* the whole of it at once */
	int		late;		/* what memory says may be wrong */
	uint64_t	swept_ms;
} look;

static void	look_on(void);

/* --- where is it? --- */

struct finding {
	holder_then	 then;
	void		*arg;
	uint64_t	 asker, until_ms;
	char		 id[RELAY_TEXT], from[MEMBER_SIZE];
};

static void
found(struct finding *f, enum holder_at at, const struct member_row *m)
{
	f->then(at, m, f->arg);
	free(f);
}

/* 0, also where its row is none; or -1: no memory, and it is ours. */
static int
load(const struct finding *f, const struct relay_row *row)
{
	if (relay_find(f->id) != NULL)
		return (0);
	switch (relay_load(row)) {
	case RELAY_NO_MEMORY:
		return (-1);
	case RELAY_NOT:
		log_warnx("relay session %.6s cannot be taken up", f->id);
		return (0);
	default:
		log_info("relay session %.6s: ours now, it was %s%s", f->id,
		    f->from[0] != '\0' ? "member " : "nobody's", f->from);
		return (0);
	}
}

static void
row_known(const struct answer *a, void *arg)
{
	struct finding			*f = arg;
	const char			*name;

	if (a->r != 0) {
		found(f, a->r == -1 ? HOLDER_DOWN : HOLDER_HERE, NULL);
		return;
	}
	name = a->relay->member;
	if (strcmp(name, member_self()) == 0)
		found(f, load(f, a->relay) == -1 ? HOLDER_DOWN : HOLDER_HERE,
		    NULL);
	else if (member_is_elsewhere(name))
		found(f, HOLDER_THERE, member_find(name));
	else	/* over, and nobody's: store_relay_take() leaves such alone */
		found(f, HOLDER_HERE, NULL);
}

static void
row_ask(struct finding *f)
{
	(void)store_ask(&(struct question){ .what = ASK_RELAY, .key = f->id,
	    .asker = f->asker, .until_ms = f->until_ms }, row_known, f);
}

static void
taken(void *arg, int ok)
{
	struct finding	*f = arg;

	if (ok)
		row_ask(f);
	else
		found(f, HOLDER_DOWN, NULL);
}

/* Nobody has it who is alive. One that drains leaves it to another. */
static void
take(struct finding *f)
{
	const struct member_row	*other = member_is_draining() ?
				    member_other() : NULL;

	if (other != NULL) {
		found(f, HOLDER_THERE, other);
	} else if (member_is_silent()) {
		found(f, HOLDER_DOWN, NULL);
	} else {
		(void)store_relay_take(f->id, f->from, clock_wall_ms());
		turn_after(taken, f);
	}
}

static void
at_known(const struct answer *a, void *arg)
{
	struct finding	*f = arg;
	struct relay	*r;
	const char	*name = a->r == 0 ? a->at->member : "";

	if (a->r == -1) {
		found(f, HOLDER_DOWN, NULL);
		return;
	}
	r = relay_find(f->id);
	if (r != NULL && !r->expired &&
	    (a->r != 0 || strcmp(name, member_self()) != 0)) {
		log_info("relay session %.6s: member %s has it", f->id,
		    name[0] != '\0' ? name : "-");
		relay_lose(r, "moved");
		r = NULL;
	}
	strlcpy(f->from, name, sizeof(f->from));
	if (r != NULL || a->r != 0)
		found(f, HOLDER_HERE, NULL);
	else if (strcmp(name, member_self()) == 0)
		row_ask(f);
	else if (member_is_elsewhere(name))
		found(f, HOLDER_THERE, member_find(name));
	else
		take(f);
}

void
relay_where(const char *id, uint64_t asker, holder_then then, void *arg)
{
	struct finding	*f;

	if (!member_is_one() || strlen(id) != RELAY_ID ||
	    (relay_find(id) != NULL && !look.late && !member_is_silent())) {
		then(HOLDER_HERE, NULL, arg);
		return;
	}
	if ((f = calloc(1, sizeof(*f))) == NULL) {
		then(HOLDER_DOWN, NULL, arg);
		return;
	}
	f->then = then;
	f->arg = arg;
	f->asker = asker;
	f->until_ms = clock_ms() + WHERE_MS;
	strlcpy(f->id, id, sizeof(f->id));
	(void)store_ask(&(struct question){ .what = ASK_RELAY_AT, .key = f->id,
	    .asker = asker, .until_ms = f->until_ms }, at_known, f);
}

/* --- is what we have still ours? --- */

/* What the store did not name, though it was there when this began. */
static void
look_ends(void)
{
	struct relay	*r, *next;

	for (r = TAILQ_FIRST(&relays); r != NULL; r = next) {
		next = TAILQ_NEXT(r, entry);
		if (r->seen == look.number || r->number > look.until ||
		    r->expired || r->leaving)
			continue;
		log_info("relay session %.6s: others have it", r->id);
		relay_lose(r, "moved");
	}
	look.after[0] = '\0';
	look.hurry = 0;
	look.late = 0;
}

static void
look_known(const struct answer *a, void *arg)
{
	struct relay	*r;
	size_t		 i;

	(void)arg;
	look.looking = 0;
	if (a->r == -1)
		look.number = 0;	/* anew, with the next beat */
	if (look.number == 0) {
		if (a->r != -1 && look.hurry)
			look_on();
		return;
	}
	for (i = 0; i < a->n; i++) {
		strlcpy(look.after, a->relay[i].id, sizeof(look.after));
		if ((r = relay_find(look.after)) != NULL)
			r->seen = look.number;
	}
	if (a->r == STORE_NONE)
		look_ends();
	else if (look.hurry)
		look_on();
}

static void
look_on(void)
{
	static uint64_t	last;

	if (look.looking || !store_is_up())
		return;
	if (look.number == 0 || look.after[0] == '\0') {
		look.number = ++last;
		look.until = relay_numbers();
		look.after[0] = '\0';
	}
	look.looking = 1;
	(void)store_ask(&(struct question){ .what = ASK_RELAYS,
	    .key = look.after }, look_known, NULL);
}

/*
 * A few with each beat, as a machine may stand still that does not see its
 * clock do so; all of them when we know that we did.
 */
void
relay_beaten(int late)
{
	if (late && !TAILQ_EMPTY(&relays)) {
		look.number = 0;
		look.hurry = look.late = 1;
	}
	if (look.hurry || !TAILQ_EMPTY(&relays))
		look_on();
	if (look.swept_ms == 0 || clock_ms() - look.swept_ms >= SWEEP_MS) {
		look.swept_ms = clock_ms();
		(void)store_relay_sweep(clock_wall_ms() -
		    (int64_t)proc_conf()->relay_reap * 1000);
	}
}

/* --- to others --- */

static void
given(void *arg, int ok)
{
	char		*id = arg;
	struct relay	*r = relay_find(id);

	free(id);
	if (r == NULL)
		return;
	r->leaving = 0;
	if (!ok)
		return;
	log_info("relay session %.6s: given away", r->id);
	relay_lose(r, WS_REASON_DRAINING);
}

/* Its row is nobody's before its peers hear to go, as they come at once. */
static void
give(struct relay *r)
{
	char	*id = strdup(r->id);

	if (id == NULL)
		return;
	relay_save(r, 1);
	(void)store_relay_leave(r->id);
	r->leaving = 1;
	turn_after(given, id);
}

/* Nobody is on the way to it, and nothing runs through it. */
static int
can_go(const struct relay *r)
{
	if (r->leaving || !STAILQ_EMPTY(&r->waiting) ||
	    ((r->nonce != 0 || r->on_way > 0) &&
	    clock_ms() - r->last_ms < COMING_MS))
		return (0);
	return (r->instance == 0 || clock_wall_ms() - r->moved >= QUIET_MS);
}

void
relay_give(int (*turn)(uint64_t))
{
	struct relay	*r;

	if (member_other() != NULL && store_is_up())
		TAILQ_FOREACH(r, &relays, entry)
			if (!r->expired && can_go(r) && turn(r->number))
				give(r);
}

/* Where nobody else could have them, those with a peer. */
unsigned
relay_left(void)
{
	const struct relay	*r;
	unsigned		 n = 0;
	int			 all = member_other() != NULL;

	TAILQ_FOREACH(r, &relays, entry)
		n += !r->expired && (all || r->instance != 0);
	return (n);
}
