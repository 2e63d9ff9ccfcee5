/* SPDX-License-Identifier: ISC */
#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/index.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "moving.h"

struct mark {
	struct link		 by_session;
	TAILQ_ENTRY(mark)	 entry;		/* the oldest is first */
	uint64_t		 until_ms;
	char			 session[UUID_SIZE];
};

static struct {
	struct index		 by_session;
	TAILQ_HEAD(, mark)	 all;
	struct timer		 sweep;
	uint64_t		 begun_ms;
} marks = { .all = TAILQ_HEAD_INITIALIZER(marks.all) };

static void	sweep(void *);

void
moving_init(void)
{
	index_init();
	timer_init(&marks.sweep, sweep, NULL);
	marks.begun_ms = clock_ms();
}

static struct mark *
mark_find(const char *session)
{
	struct link	*l;
	struct mark	*k;

	for (l = index_find(&marks.by_session, index_key(session)); l != NULL;
	    l = index_next(l)) {
		k = OWNER(l, struct mark, by_session);
		if (strcmp(k->session, session) == 0)
			return (k);
	}
	return (NULL);
}

static void
mark_free(struct mark *k)
{
	index_del(&marks.by_session, &k->by_session);
	TAILQ_REMOVE(&marks.all, k, entry);
	free(k);
}

static void
sweep(void *arg)
{
	struct mark	*k;

	(void)arg;
	while ((k = TAILQ_FIRST(&marks.all)) != NULL &&
	    k->until_ms <= clock_ms())
		mark_free(k);
	if (k != NULL)
		timer_set(&marks.sweep, k->until_ms - clock_ms());
}

void
moving_mark(const char *session)
{
	struct mark	*k = mark_find(session);

	if (k != NULL)
		TAILQ_REMOVE(&marks.all, k, entry);
	else {
		if (marks.by_session.count >= MOVING_MARKS)
			mark_free(TAILQ_FIRST(&marks.all));
		if ((k = calloc(1, sizeof(*k))) == NULL) {
			log_warn("moving");
			return;
		}
		strlcpy(k->session, session, sizeof(k->session));
		index_add(&marks.by_session, &k->by_session,
		    index_key(session));
	}
	k->until_ms = clock_ms() + MOVING_MS;
	TAILQ_INSERT_TAIL(&marks.all, k, entry);
	if (!timer_is_set(&marks.sweep))
		timer_set(&marks.sweep, MOVING_MS);
}

int
moving_is(const char *session)
{
	const struct mark	*k = mark_find(session);

	return (k != NULL && k->until_ms > clock_ms());
}

int
moving_has_begun(void)
{
	return (clock_ms() - marks.begun_ms < MOVING_MS);
}
