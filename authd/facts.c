/* SPDX-License-Identifier: ISC */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "facts.h"

#define WAIT_MS	1500	/* for all answers together */

/* One question after the other; the order is that of the steps below. */
struct facts_call {
	unsigned		 needs;		/* that are still to be asked */
	char			 system_key[SYSKEY_SIZE], system_id[ID_SIZE];
	char			 session[UUID_SIZE], org_id[ID_SIZE];
	char			 system_name[NAME_SIZE];
	struct operator		 who;
	uint64_t		 asker, until_ms;
	struct facts		 facts;
	facts_then		 then;
	void			*arg;
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
copy_row(void *dst, const struct answer *a, size_t size)
{
	if (a->r == 0)
		memcpy(dst, a->any, size);
}

static void
facts_go_on(struct facts_call *c)
{
	c->store = NULL;
	c->answered = 1;
	if (!c->asking)
		(void)facts_next(c);
}

static void
got_system(const struct answer *a, void *arg)
{
	struct facts_call	*c = arg;

	c->facts.got_system = a->r;
	copy_row(&c->facts.system, a, sizeof(c->facts.system));
	if (a->r == 0) {
		strlcpy(c->system_id, a->system->id, sizeof(c->system_id));
		if (c->org_id[0] == '\0')
			strlcpy(c->org_id, a->system->org_id,
			    sizeof(c->org_id));
	}
	facts_go_on(c);
}

static void
got_session(const struct answer *a, void *arg)
{
	struct facts_call	*c = arg;

	c->facts.got_session = a->r;
	copy_row(&c->facts.session, a, sizeof(c->facts.session));
	if (a->r == 0 && c->system_id[0] == '\0')
		strlcpy(c->system_id, a->session->system_id,
		    sizeof(c->system_id));
	facts_go_on(c);
}

static void
got_revoked(const struct answer *a, void *arg)
{
	struct facts_call	*c = arg;

	c->facts.got_revoked = a->r;
	copy_row(&c->facts.revoked, a, sizeof(c->facts.revoked));
	facts_go_on(c);
}

static void
got_visible(const struct answer *a, void *arg)
{
	struct facts_call	*c = arg;

	c->facts.got_visible = a->r;
	facts_go_on(c);
}

static void
got_org_seen(const struct answer *a, void *arg)
{
	struct facts_call	*c = arg;

	c->facts.got_org_seen = a->r;
	facts_go_on(c);
}

static void
got_named(const struct answer *a, void *arg)
{
	struct facts_call	*c = arg;

	c->facts.got_named = a->n > 1 ? FACT_MANY : a->r;
	copy_row(&c->facts.named, a, sizeof(c->facts.named));
	facts_go_on(c);
}

static void
got_child(const struct answer *a, void *arg)
{
	struct facts_call	*c = arg;

	c->facts.got_child = a->r;
	facts_go_on(c);
}

static void
got_org(const struct answer *a, void *arg)
{
	struct facts_call	*c = arg;

	c->facts.got_org = a->r;
	copy_row(&c->facts.org, a, sizeof(c->facts.org));
	facts_go_on(c);
}

/* In this order: each may bring the key of the next. */
static const struct step {
	unsigned	need;
	enum store_what	what;
	size_t		key;		/* where its key is */
	store_then	got;
} steps[] = {
	{ NEED_SYSTEM_BY_KEY, ASK_SYSTEM_BY_KEY,
	    offsetof(struct facts_call, system_key), got_system },
	{ NEED_SESSION, ASK_SESSION,
	    offsetof(struct facts_call, session), got_session },
	{ NEED_SYSTEM, ASK_SYSTEM_BY_ID,
	    offsetof(struct facts_call, system_id), got_system },
	{ NEED_REVOKED, ASK_REVOKED,
	    offsetof(struct facts_call, who.token_id), got_revoked },
	{ NEED_VISIBLE, ASK_VISIBLE,
	    offsetof(struct facts_call, system_id), got_visible },
	{ NEED_ORG, ASK_ORG,
	    offsetof(struct facts_call, org_id), got_org },
	{ NEED_ORG_SEEN, ASK_ORG_SEEN,
	    offsetof(struct facts_call, org_id), got_org_seen },
	{ NEED_SYSTEM_BY_NAME, ASK_SYSTEMS_NAMED,
	    offsetof(struct facts_call, system_name), got_named },
	{ NEED_CHILD, ASK_ORG_CHILD,
	    offsetof(struct facts_call, org_id), got_child },
};

static const struct step *
facts_step(struct facts_call *c)
{
	const struct step	*s;
	size_t			 i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
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
	struct question		 q = { .org_role = c->who.org_role,
	    .org_id = c->who.org_id, .user = c->who.id, .impersonator = c->who.impersonator,
	    .now = clock_wall_ms(), .asker = c->asker,
	    .until_ms = c->until_ms };

	c->asking = 1;
	while ((s = facts_step(c)) != NULL) {
		c->answered = 0;
		q.what = s->what;
		q.key = (char *)c + s->key;
		c->store = store_ask(&q, s->got, c);
		if (!c->answered) {
			c->asking = 0;
			return (c);
		}
		c->store = NULL;
	}
	c->then(&c->facts, c->arg);
	facts_free(c);
	return (NULL);
}

static void
copy_key(char *dst, const char *key, size_t size)
{
	if (key != NULL)
		strlcpy(dst, key, size);
}

/* No memory: as a store that cannot say. */
static void
facts_none(facts_then then, void *arg)
{
	static const struct facts	none = { .got_system = -1,
	    .got_session = -1, .got_revoked = -1, .got_visible = -1,
	    .got_org = -1, .got_named = -1, .got_child = -1,
	    .got_org_seen = -1 };

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
	copy_key(c->system_key, k->system_key, sizeof(c->system_key));
	copy_key(c->system_id, k->system_id, sizeof(c->system_id));
	copy_key(c->session, k->session, sizeof(c->session));
	copy_key(c->org_id, k->org_id, sizeof(c->org_id));
	copy_key(c->system_name, k->system_name, sizeof(c->system_name));
	if (k->who != NULL)
		c->who = *k->who;
	c->facts.got_system = c->facts.got_session = c->facts.got_revoked =
	    c->facts.got_visible = c->facts.got_org = c->facts.got_named =
	    c->facts.got_child = c->facts.got_org_seen = FACT_NOT_ASKED;
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
