/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "facts.h"

#define WAIT_MS	1500	/* for all answers together */

/* One question after the other, in the order of the list. */
struct facts_call {
	unsigned		 needs;		/* that are still to be asked */
	const struct step	*step;		/* that is being asked */
#define KEY(name, size)	char	 name[size];
#include "facts.def"
	struct operator		 who;
	uint64_t		 asker, until_ms;
	struct facts		 facts;
	facts_then		 then;
	void			*arg;
	char			 request[REQUEST_SIZE];	/* for the log */
	struct store_call	*store;
	int			 asking;	/* facts_next() runs */
	int			 answered;	/* while it did */
};

static struct facts_call	*facts_next(struct facts_call *);

static void
facts_free(struct facts_call *c)
{
	freezero(c, sizeof(*c));
}

static void
facts_go_on(struct facts_call *c)
{
	c->store = NULL;
	c->answered = 1;
	if (!c->asking)
		(void)facts_next(c);
}

#define AT(fact)	offsetof(struct facts, fact)
#define FROM(key)	offsetof(struct facts_call, key)
static const struct step {
	unsigned	need;
	enum store_what	what;
	size_t		key, got, row;		/* where they are */
	size_t		size;			/* of a row; 0: yes or no */
} steps[FACT_ROWS] = {
#define F(NAME, ASK, key, fact, row)					\
	{ NEED_##NAME, ASK_##ASK, FROM(key), AT(got_##fact), AT(fact),	\
	    sizeof(row) },
#define O(NAME, ASK, key, fact)						\
	{ NEED_##NAME, ASK_##ASK, FROM(key), AT(got_##fact), AT(fact),	\
	    sizeof(((struct facts *)NULL)->fact) },
#define Y(NAME, ASK, key, fact)						\
	{ NEED_##NAME, ASK_##ASK, FROM(key), AT(got_##fact), 0, 0 },
#include "facts.def"
};

/* What is known by now names what else can be asked. */
static void
facts_follow(struct facts_call *c)
{
	const struct facts	*f = &c->facts;

	if (f->got_system == 0) {
		strlcpy(c->system_id, f->system.id, sizeof(c->system_id));
		if (c->org_id[0] == '\0')
			strlcpy(c->org_id, f->system.org_id,
			    sizeof(c->org_id));
	}
	if (f->got_session == 0 && c->system_id[0] == '\0')
		strlcpy(c->system_id, f->session.system_id,
		    sizeof(c->system_id));
}

static void
facts_got(const struct answer *a, void *arg)
{
	struct facts_call	*c = arg;
	const struct step	*s = c->step;
	char			*facts = (char *)&c->facts;
	int			 r = a->n > 1 ? FACT_MANY : a->r;

	memcpy(facts + s->got, &r, sizeof(r));
	if (a->r == 0 && s->size > 0)
		memcpy(facts + s->row, a->any, s->size);
	facts_follow(c);
	facts_go_on(c);
}

static const struct step *
facts_step(struct facts_call *c)
{
	const struct step	*s;
	size_t			 i;

	for (i = 0; i < FACT_ROWS; i++) {
		s = &steps[i];
		if (!(c->needs & s->need))
			continue;
		c->needs &= ~s->need;
		/* A token without an id may still be a revoked user's. */
		if (s->need == NEED_REVOKED || ((char *)c)[s->key] != '\0')
			return (s);
	}
	return (NULL);
}

/* NULL when all is there: `then` has been called, c has gone. */
static struct facts_call *
facts_next(struct facts_call *c)
{
	const struct step	*s;
	char			 before[REQUEST_SIZE];
	struct question		 q = { .org_role = c->who.org_role,
	    .org_id = c->who.org_id, .user = c->who.id,
	    .impersonator = c->who.impersonator,
	    .now = clock_wall_ms(), .asker = c->asker,
	    .until_ms = c->until_ms };

	c->asking = 1;
	while ((s = facts_step(c)) != NULL) {
		c->answered = 0;
		q.what = s->what;
		q.key = (char *)c + s->key;
		c->step = s;
		c->store = store_ask(&q, facts_got, c);
		if (!c->answered) {
			c->asking = 0;
			return (c);
		}
		c->store = NULL;
	}
	strlcpy(before, log_request_now(), sizeof(before));
	log_request(c->request);
	c->then(&c->facts, c->arg);
	log_request(before);
	facts_free(c);
	return (NULL);
}

static void
copy_key(char *dst, const char *key, size_t size)
{
	if (key != NULL)
		strlcpy(dst, key, size);
}

static void
facts_all(struct facts *f, int r)
{
#define F(NAME, ASK, key, fact, row)	f->got_##fact = r;
#define Y(NAME, ASK, key, fact)		f->got_##fact = r;
#include "facts.def"
}

/* No memory: as a store that cannot say. */
static void
facts_none(facts_then then, void *arg)
{
	static struct facts	none;

	facts_all(&none, -1);
	then(&none, arg);
}

struct facts_call *
facts_ask(unsigned needs, const struct facts_keys *k, facts_then then,
    void *arg)
{
	struct facts_call	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL) {
		facts_none(then, arg);
		return (NULL);
	}
	c->needs = needs;
	c->asker = k->asker;
	c->until_ms = clock_ms() + WAIT_MS;
	c->then = then;
	c->arg = arg;
	strlcpy(c->request, log_request_now(), sizeof(c->request));
#define KEY(name, size)	copy_key(c->name, k->name, size);
#include "facts.def"
	if (k->who != NULL)
		c->who = *k->who;
	facts_all(&c->facts, FACT_NOT_ASKED);
	return (facts_next(c));
}

void
facts_cancel(struct facts_call *c)
{
	if (c == NULL)
		return;
	store_cancel(c->store);
	facts_free(c);
}
