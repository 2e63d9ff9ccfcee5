/* SPDX-License-Identifier: ISC */
/* Questions: answered at once, or aside and in a later turn. */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "authd/store/back.h"
#include "db.h"
#include "find.h"

#define TEXTS	6	/* of a question */

/* One that is answered later, with all that it points to. */
struct back_call {
	TAILQ_ENTRY(back_call)	 entry;
	struct question		 q;
	struct list_query	 list;
	struct system_query	 systems;
	struct group_row	*groups;
	char			*text[TEXTS];
	store_then		 then;
	void			*arg;
	unsigned		 round;		/* asked in */
	struct aside		*aside;
	struct rows		 rows;
	struct answer		 a;
};

#ifdef RELAYD_TESTING
#define HELD_MS	10	/* between looks whether they still are */

static struct {
	TAILQ_HEAD(, back_call) waiting;
	struct timer		 timer;
	unsigned		 round;
	int			 on;
	/* the commit's report */
	void			(*then)(int, void *);
	void			*arg;
	int			 ok;
} late = { .waiting = TAILQ_HEAD_INITIALIZER(late.waiting) };
#endif

static void
answer(const struct question *q, store_then then, void *arg)
{
	struct answer	a;
	struct rows	rows;

	find_rows(q, &rows, &a);
	then(&a, arg);
	rows_wipe(&rows);
}

static void
call_free(struct back_call *c)
{
	unsigned	i;

	for (i = 0; i < TEXTS; i++)
		if (c->text[i] != NULL)
			freezero(c->text[i], strlen(c->text[i]));
	rows_wipe(&c->rows);
	free(c->groups);
	free(c);
}

static int
keep_text(struct back_call *c, unsigned i, const char **text)
{
	if (*text == NULL)
		return (0);
	*text = c->text[i] = strdup(*text);
	return (*text == NULL ? -1 : 0);
}

static int
keep_question(struct back_call *c, const struct question *q)
{
	c->q = *q;
	if (q->list != NULL) {
		c->list = *q->list;
		c->q.list = &c->list;
	}
	if (q->systems != NULL) {
		c->systems = *q->systems;
		c->q.systems = &c->systems;
	}
	if (q->n > 0) {
		c->groups = reallocarray(NULL, q->n, sizeof(*c->groups));
		if (c->groups == NULL)
			return (-1);
		memcpy(c->groups, q->groups, q->n * sizeof(*c->groups));
		c->q.groups = c->groups;
	}
	return (keep_text(c, 0, &c->q.key) == -1 ||
	    keep_text(c, 1, &c->q.org_role) == -1 ||
	    keep_text(c, 2, &c->q.org_id) == -1 ||
	    keep_text(c, 3, &c->q.user) == -1 ||
	    keep_text(c, 4, &c->q.impersonator) == -1 ||
	    keep_text(c, 5, &c->q.node) == -1 ? -1 : 0);
}

static struct back_call *
call_new(const struct question *q, store_then then, void *arg)
{
	struct back_call	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	c->then = then;
	c->arg = arg;
	if (keep_question(c, q) == -1) {
		call_free(c);
		return (NULL);
	}
	return (c);
}

#ifdef RELAYD_TESTING
/* A test holds answers back: PRAGMA application_id = 1. */
static int
is_held(void)
{
	static struct query	q = QUERY("PRAGMA application_id");
	int64_t			held;

	if (TAILQ_EMPTY(&late.waiting) || db_read(&q, "") != 0)
		return (0);
	held = db_int(&q, 0);
	db_done(&q);
	return (held != 0);
}

/* Those that were asked before this turn; who asks on waits for the next. */
static void
answer_late(void *arg)
{
	struct back_call	*c;

	(void)arg;
	late.round++;
	store_finish();
	if (is_held()) {
		timer_set(&late.timer, HELD_MS);
		return;
	}
	while ((c = TAILQ_FIRST(&late.waiting)) != NULL &&
	    c->round != late.round) {
		TAILQ_REMOVE(&late.waiting, c, entry);
		answer(&c->q, c->then, c->arg);
		call_free(c);
	}
	if (c != NULL)
		timer_set(&late.timer, 0);
}

static struct back_call *
ask_late(const struct question *q, store_then then, void *arg)
{
	struct back_call	*c = call_new(q, then, arg);

	if (c == NULL)
		return (NULL);
	c->round = late.round;
	TAILQ_INSERT_TAIL(&late.waiting, c, entry);
	if (!timer_is_set(&late.timer))
		timer_set(&late.timer, 0);
	return (c);
}

void
store_set_late(void)
{
	late.on = !db_is_late();
	timer_init(&late.timer, answer_late, NULL);
}
#endif

static void
find_aside(void *arg)
{
	struct back_call	*c = arg;

	find_rows(&c->q, &c->rows, &c->a);
}

static void
found(void *arg)
{
	struct back_call	*c = arg;

	c->then(&c->a, c->arg);
	call_free(c);
}

/* A server's: it is asked, and something else is done meanwhile. */
static struct back_call *
ask_aside(const struct question *q, store_then then, void *arg)
{
	static const struct answer	 none = { .r = -1 };
	struct back_call		*c = call_new(q, then, arg);
	struct aside			*a;
	int				 r = -1;

	if (c != NULL && (a = db_aside(find_aside, found, c, &r)) != NULL) {
		c->aside = a;
		return (c);
	}
	if (r == -1) {
		if (c != NULL)
			call_free(c);
		then(&none, arg);
	}
	return (NULL);
}

struct back_call *
back_ask(const struct question *q, store_then then, void *arg)
{
#ifdef RELAYD_TESTING
	struct back_call	*c;

	if (late.on && (c = ask_late(q, then, arg)) != NULL)
		return (c);
#endif
	if (db_is_late())
		return (ask_aside(q, then, arg));
	answer(q, then, arg);
	return (NULL);
}

void
back_cancel(struct back_call *c)
{
	if (c == NULL)
		return;
	if (c->aside != NULL) {
		db_cancel(c->aside);
		call_free(c);
		return;
	}
#ifdef RELAYD_TESTING
	TAILQ_REMOVE(&late.waiting, c, entry);
	call_free(c);
#endif
}

#ifdef RELAYD_TESTING
static void
commit_late(int ok, void *arg)
{
	(void)arg;
	late.ok = ok;
}
#endif

void
store_commit(void (*then)(int, void *), void *arg)
{
#ifdef RELAYD_TESTING
	if (late.on) {
		db_commit(commit_late, NULL);
		late.then = then;
		late.arg = arg;
		if (!timer_is_set(&late.timer))
			timer_set(&late.timer, 0);
		return;
	}
#endif
	db_commit(then, arg);
}

void
store_finish(void)
{
#ifdef RELAYD_TESTING
	void	(*then)(int, void *) = late.then;

	late.then = NULL;
	if (then != NULL)
		then(late.ok, late.arg);
#endif
	db_finish();
}
