/* SPDX-License-Identifier: ISC */
/* What each question finds. */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "authd/store/back.h"
#include "db.h"
#include "find.h"

#define ROWS_FIRST	8	/* room that an answer begins with */
#define ROWS_MAX	10000	/* open sessions of one page's groups */

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
add_guest(const struct guest_row *row, void *arg)
{
	rows_copy(arg, row);
}

static int
many_guests(const struct question *q, struct rows *rows, struct answer *a)
{
	(void)a;
	return (db_guests(q->key, add_guest, rows));
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
#define many_guest_services	many_diagnostics

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

void
find_rows(const struct question *q, struct rows *rows, struct answer *a)
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

void
rows_wipe(struct rows *rows)
{
	if (rows->v != NULL)
		freezero(rows->v, rows->room * rows->size);
	rows->v = NULL;
}
