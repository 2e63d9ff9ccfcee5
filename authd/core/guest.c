/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "base/compat.h"
#include "effect.h"
#include "guest.h"
#include "services.h"

static struct {
	struct index	by_id, by_system;
	struct sessions	all;
	unsigned	look;		/* the number of this one */
} guests = { .all = TAILQ_HEAD_INITIALIZER(guests.all) };

struct session *
guest_find(const char *id)
{
	return (session_in(&guests.by_id, id));
}

unsigned
guest_count(void)
{
	return ((unsigned)guests.by_id.count);
}

void
guest_each_of(const char *system_id, void (*fn)(struct session *, void *),
    void *arg)
{
	session_each_in(&guests.by_system, system_id, fn, arg);
}

static void
add_one(struct session *se, void *arg)
{
	(void)se;
	++*(unsigned *)arg;
}

static unsigned
guest_count_of(const char *system_id)
{
	unsigned	n = 0;

	guest_each_of(system_id, add_one, &n);
	return (n);
}

int
guest_is_of(const char *system_id)
{
	return (guest_count_of(system_id) > 0);
}

/* ---- which there are ---- */

void
guest_look(void)
{
	guests.look++;
}

static struct session *
guest_new(const struct guest_row *row)
{
	struct session	*se;

	if (guest_count() >= GUESTS_MAX ||
	    guest_count_of(row->system_id) >= GUESTS_SYSTEM ||
	    (se = session_bare()) == NULL)
		return (NULL);
	se->guest = 1;
	strlcpy(se->row.id, row->id, sizeof(se->row.id));
	strlcpy(se->row.system_id, row->system_id,
	    sizeof(se->row.system_id));
	strlcpy(se->row.node, row->node, sizeof(se->row.node));
	session_slug(se->row.id, se->slug);
	index_add(&guests.by_id, &se->by_id, index_key(se->row.id));
	index_add(&guests.by_system, &se->by_system,
	    index_key(se->row.system_id));
	TAILQ_INSERT_TAIL(&guests.all, se, entry);
	return (se);
}

/* Proxyds send there what is for it. */
static void
guest_says(struct session *se)
{
	effect_add(EFFECT_SERVICES)->session = se;
}

int
guest_note(const struct guest_row *row, const struct now *now)
{
	struct session	*se = guest_find(row->id);

	if (row->expires_at <= now->wall_ms || session_find(row->id) != NULL)
		return (0);
	if (se == NULL && (se = guest_new(row)) == NULL)
		return (-1);
	se->looked = guests.look;
	se->row.status = row->status;
	se->row.expires_at = row->expires_at;
	se->told_at = row->services_at;
	if (strcmp(se->row.member, row->member) != 0) {
		strlcpy(se->row.member, row->member, sizeof(se->row.member));
		guest_says(se);
	}
	return (0);
}

/* Grants and streams that hang on it end in end_run(). */
static void
guest_end(struct session *se)
{
	index_del(&guests.by_id, &se->by_id);
	index_del(&guests.by_system, &se->by_system);
	TAILQ_REMOVE(&guests.all, se, entry);
	due_del(&se->push);
	guest_says(se);
	session_over(se);
}

void
guest_looked(void)
{
	struct session	*se, *next;

	for (se = TAILQ_FIRST(&guests.all); se != NULL; se = next) {
		next = TAILQ_NEXT(se, entry);
		if (se->looked != guests.look)
			guest_end(se);
	}
}

int
guest_gone(const char *id)
{
	struct session	*se = guest_find(id);

	if (se != NULL)
		guest_end(se);
	return (se != NULL);
}

/* ---- what they offer ---- */

struct session *
guest_stale(void)
{
	struct session	*se;

	TAILQ_FOREACH(se, &guests.all, entry)
		if (se->table_at != se->told_at)
			return (se);
	return (NULL);
}

void
guest_table(struct session *se, int64_t at, struct services *t)
{
	services_free(se->services);
	se->services = t;
	se->table_at = se->told_at = at;
	guest_says(se);
}

void
guest_clear(void)
{
	struct session	*se;

	while ((se = TAILQ_FIRST(&guests.all)) != NULL) {
		guest_end(se);
		session_reap(se);
	}
}
