/* SPDX-License-Identifier: ISC */
/* Questions: who answers what, at once or aside. */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "authd/store/back.h"
#include "db.h"

#define ROWS_FIRST	8	/* room that an answer begins with */
#define ROWS_MAX	10000	/* open sessions of one page's groups */

/* Rows as they come; what a row may hold is wiped. */
struct rows {
	char	*v;
	size_t	 size, n, room;
	int	 failed;
};

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

static void *
rows_add(struct rows *r)
{
	size_t	 room = r->room == 0 ? ROWS_FIRST : 2 * r->room;
	char	*v;

	if (r->n == r->room) {
		v = r->n >= ROWS_MAX ? NULL :
		    recallocarray(r->v, r->room, room, r->size);
		if (v == NULL) {
			r->failed = 1;
			return (NULL);
		}
		r->v = v;
		r->room = room;
	}
	return (r->v + r->size * r->n++);
}

/* One more, of the question's type. */
static void
rows_copy(struct rows *r, const void *row)
{
	void	*p = rows_add(r);

	if (p != NULL)
		memcpy(p, row, r->size);
}

static void
add_session(const struct session_row *row, void *arg)
{
	rows_copy(arg, row);
}

static void
add_access(const struct access_row *row, void *arg)
{
	rows_copy(arg, row);
}

/* One row. */

static int
one_system_by_key(const struct question *q, void *row)
{
	return (db_system_by_key(q->key, row));
}

static int
one_system_by_id(const struct question *q, void *row)
{
	return (db_system_by_id(q->key, row));
}

static int
one_system_by_public(const struct question *q, void *row)
{
	return (db_system_by_public(q->key, row));
}

static int
one_org(const struct question *q, void *row)
{
	return (db_org_get(q->key, row));
}

static int
one_org_system(const struct question *q, void *row)
{
	return (db_org_system(q->key, row));
}

static int
one_org_child(const struct question *q, void *row)
{
	return (db_org_child(q->key, row));
}

static int
one_reference(const struct question *q, void *row)
{
	return (db_reference_get(q->key, row));
}

static int
one_recording_at(const struct question *q, void *row)
{
	return (db_recording_at(q->key, row));
}

static int
one_relay(const struct question *q, void *row)
{
	return (db_relay_get(q->key, row));
}

static int
one_relay_at(const struct question *q, void *row)
{
	return (db_relay_at(q->key, row));
}

static int
one_consumed_one(const struct question *q, void *row)
{
	return (db_consumed_get(q->key, row));
}

static int
one_session(const struct question *q, void *row)
{
	return (db_session_get(q->key, row));
}

static int
one_slot(const struct question *q, void *row)
{
	return (db_session_slot(q->key, q->node, row));
}

static int
one_org_seen(const struct question *q, void *row)
{
	(void)row;
	return (db_org_seen(q->org_role, q->org_id, q->key));
}

static int
one_visible(const struct question *q, void *row)
{
	(void)row;
	return (db_visible(q->org_role, q->org_id, q->key));
}

static int
one_revoked(const struct question *q, void *row)
{
	struct revoked_row	*re = row;

	return (db_revoked(q, re->kind, re->reason));
}

static int
one_token(const struct question *q, void *row)
{
	return (db_token(q->key, q->now, row));
}

static int
one_recording(const struct question *q, void *row)
{
	return (db_recording(q->key, row));
}

static int
one_recording_oldest(const struct question *q, void *row)
{
	(void)q;
	return (db_recording_oldest(row));
}

static int
one_recording_sum(const struct question *q, void *row)
{
	(void)q;
	return (db_recording_sum(row));
}

/* The next one behind `after`. */

static int
after_recordings(const struct question *q, const char *after, void *row)
{
	(void)q;
	return (db_recording_next(after, row));
}

static int
after_recordings_open(const struct question *q, const char *after, void *row)
{
	(void)q;
	return (db_recording_next_open(after, row));
}

static int
after_relays(const struct question *q, const char *after, void *row)
{
	(void)q;
	return (db_relay_next(after, row));
}

static int
after_consumed(const struct question *q, const char *after, void *row)
{
	(void)q;
	return (db_consumed_next(after, row));
}

static int
after_systems(const struct question *q, const char *after, void *row)
{
	(void)q;
	return (db_system_next(after, row));
}

static int
after_orgs(const struct question *q, const char *after, void *row)
{
	(void)q;
	return (db_org_next(after, row));
}

static int
after_open_sessions(const struct question *q, const char *after, void *row)
{
	(void)q;
	return (db_session_next_open(after, row));
}

static int
after_open_rows(const struct question *q, const char *after, void *row)
{
	(void)q;
	return (db_access_next_open(after, row));
}

static int
after_tokens(const struct question *q, const char *after, void *row)
{
	return (db_token_next(after, q->now, row));
}

/* As many as there are. */

static int
many_systems_named(const struct question *q, struct rows *rows,
    struct answer *a)
{
	struct system_row	*row;
	char			 first[ID_SIZE] = "";
	int			 r = 0;

	(void)a;
	while (rows->n < 2 && r == 0 && (row = rows_add(rows)) != NULL) {
		if ((r = db_system_named(q->key, first, row)) != 0)
			rows->n--;
		else
			strlcpy(first, row->id, sizeof(first));
	}
	if (r == -1)
		return (-1);
	return (rows->n > 0 ? 0 : STORE_NONE);
}

static int
many_groups(const struct question *q, struct rows *rows, struct answer *a)
{
	struct group_row	*groups;

	groups = calloc(q->list->page_size, sizeof(*groups));
	if (groups == NULL)
		return (-1);
	rows->v = (char *)groups;
	rows->room = q->list->page_size;
	return (db_groups(q->list, &a->total, groups, &rows->n,
	    &a->walked));
}

static void
add_id(const char *id, void *arg)
{
	struct system_id	*s = rows_add(arg);

	if (s != NULL)
		strlcpy(s->id, id, sizeof(s->id));
}

static int
many_systems_walk(const struct question *q, struct rows *rows,
    struct answer *a)
{
	return (db_systems_walk(q->systems, &a->walked, add_id, rows));
}

static int
many_system_details(const struct question *q, struct rows *rows,
    struct answer *a)
{
	void	*row;
	size_t	 i;
	int	 r = 0;

	(void)a;
	for (i = 0; i < q->n && r != -1; i++) {
		if ((row = rows_add(rows)) == NULL)
			return (-1);
		r = db_system_detail(q->groups[i].system_id, row);
		if (r != 0)
			rows->n--;
	}
	return (r == -1 ? -1 : 0);
}

static int
many_page_sessions(const struct question *q, struct rows *rows,
    struct answer *a)
{
	size_t	i;

	(void)a;
	for (i = 0; i < q->n; i++)
		if (db_group_sessions(q->list, q->groups[i].system_id,
		    add_session, rows) == -1)
			return (-1);
	return (0);
}

static void
add_event(const struct audit_row *row, void *arg)
{
	rows_copy(arg, row);
}

static int
many_audit(const struct question *q, struct rows *rows, struct answer *a)
{
	(void)a;
	return (db_audit(q->key, add_event, rows));
}

static int
many_audit_heads(const struct question *q, struct rows *rows,
    struct answer *a)
{
	(void)q;
	(void)a;
	return (db_audit_heads(add_event, rows));
}

static int
many_audit_tails(const struct question *q, struct rows *rows,
    struct answer *a)
{
	(void)q;
	(void)a;
	return (db_audit_tails(add_event, rows));
}

static int
many_logs(const struct question *q, struct rows *rows, struct answer *a)
{
	return (db_logs(q->key, q->list, &a->total, add_access, rows));
}

static void
add_member(const struct member_row *row, void *arg)
{
	rows_copy(arg, row);
}

static void
add_elsewhere(const struct elsewhere_row *row, void *arg)
{
	rows_copy(arg, row);
}

static int
many_elsewhere(const struct question *q, struct rows *rows, struct answer *a)
{
	(void)a;
	return (db_elsewhere(q->key, add_elsewhere, rows));
}

static void
add_relay(const struct relay_row *row, void *arg)
{
	rows_copy(arg, row);
}

static int
many_relays_lost(const struct question *q, struct rows *rows, struct answer *a)
{
	(void)a;
	return (db_relays_lost(q->key, q->now, add_relay, rows));
}

static void
add_present(const struct present_row *row, void *arg)
{
	rows_copy(arg, row);
}

static int
many_present(const struct question *q, struct rows *rows, struct answer *a)
{
	size_t	i;

	(void)a;
	for (i = 0; i < q->n; i++)
		if (db_present(q->groups[i].system_id, add_present, rows) ==
		    -1)
			return (-1);
	return (0);
}

static void
add_loss(const struct loss_row *row, void *arg)
{
	rows_copy(arg, row);
}

static int
many_losses(const struct question *q, struct rows *rows, struct answer *a)
{
	(void)q;
	(void)a;
	return (db_losses(add_loss, rows));
}

static int
many_members(const struct question *q, struct rows *rows, struct answer *a)
{
	(void)q;
	(void)a;
	return (db_members(add_member, rows));
}

static void
add_recording(const struct recording_row *row, void *arg)
{
	rows_copy(arg, row);
}

static int
many_recordings_of(const struct question *q, struct rows *rows,
    struct answer *a)
{
	return (db_recordings_of(q->key, q->list, &a->total, add_recording,
	    rows));
}

static int
many_recordings_named(const struct question *q, struct rows *rows,
    struct answer *a)
{
	(void)a;
	return (db_recordings_named(q->key, add_recording, rows));
}

static void
add_added(const struct added_row *row, void *arg)
{
	rows_copy(arg, row);
}

static int
many_added(const struct question *q, struct rows *rows, struct answer *a)
{
	(void)a;
	return (db_added(q->key, add_added, rows));
}

/* One row, as long as its text. */
static int
many_diagnostics(const struct question *q, struct rows *rows,
    struct answer *a)
{
	struct document	*doc;
	int		 r;

	(void)a;
	if ((r = db_document(q->what, q->key, &doc)) != 0)
		return (r);
	rows->v = (char *)doc;
	rows->size = sizeof(*doc) + doc->len + 1;
	rows->n = rows->room = 1;
	return (0);
}

/* The same of another column. */
#define many_users	many_diagnostics
#define many_users_of	many_diagnostics

static const struct way {
	size_t	size;		/* of a row */
	int	(*one)(const struct question *, void *row);
	int	(*after)(const struct question *, const char *after,
		    void *row);
	int	(*many)(const struct question *, struct rows *,
		    struct answer *);
} ways[ASK_COUNT] = {
#define Q(NAME, word, how, row)						\
	[ASK_##NAME] = { .size = sizeof(row), .how = how##_##word },
#include "authd/store/ask.def"
#undef Q
};

static int
ask_one(const struct question *q, struct rows *rows)
{
	void	*row = rows_add(rows);

	return (row == NULL ? -1 : ways[q->what].one(q, row));
}

static int
ask_after(const struct question *q, struct rows *rows)
{
	char	 after[ID_SIZE];
	void	*row;
	int	 r = 0;

	strlcpy(after, q->key, sizeof(after));
	while (rows->n < STORE_PAGE && (row = rows_add(rows)) != NULL) {
		if ((r = ways[q->what].after(q, after, row)) != 0) {
			rows->n--;
			break;
		}
		strlcpy(after, row, sizeof(after));	/* its id */
	}
	if (r == -1)
		return (-1);
	return (rows->n > 0 ? 0 : STORE_NONE);
}

/* What a question finds; ends with it in `a`, and rows to free. */
static void
find(const struct question *q, struct rows *rows, struct answer *a)
{
	const struct way	*w = &ways[q->what];

	memset(a, 0, sizeof(*a));
	memset(rows, 0, sizeof(*rows));
	rows->size = w->size;
	if (w->many != NULL)
		a->r = w->many(q, rows, a);
	else
		a->r = w->after != NULL ? ask_after(q, rows) :
		    ask_one(q, rows);
	if (rows->failed)
		a->r = -1;
	a->n = a->r == 0 ? rows->n : 0;
	a->any = rows->v;
}

static void
rows_free(struct rows *rows)
{
	if (rows->v != NULL)
		freezero(rows->v, rows->room * rows->size);
	rows->v = NULL;
}

static void
answer(const struct question *q, store_then then, void *arg)
{
	struct answer	a;
	struct rows	rows;

	find(q, &rows, &a);
	then(&a, arg);
	rows_free(&rows);
}

static void
call_free(struct back_call *c)
{
	unsigned	i;

	for (i = 0; i < TEXTS; i++)
		if (c->text[i] != NULL)
			freezero(c->text[i], strlen(c->text[i]));
	rows_free(&c->rows);
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

	find(&c->q, &c->rows, &c->a);
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
