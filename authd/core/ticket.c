/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/index.h"
#include "budget.h"
#include "proc/conf.h"
#include "ticket.h"

#define TICKETS_MAX	4096	/* that wait to be used */
#define TICKETS_ONE	1024	/* of one operator */

struct ticket {
	struct link		 link;
	TAILQ_ENTRY(ticket)	 entry;
	char			 hash[HEX64_SIZE];
	uint64_t		 until_ms;
	char			 session[UUID_SIZE];
	char			 service[SERVICE_SIZE];
	uint64_t		 stream;	/* to come back to; 0: a new one */
	struct operator		 who;
	struct claim		 place, of_session;
};

static struct {
	struct index		 table;
	TAILQ_HEAD(, ticket)	 queue;		/* oldest first */
	struct budget		 places;
	struct budget		 by_session;	/* counted, not limited */
} tickets = { .places = { .total = TICKETS_MAX, .one = TICKETS_ONE,
    .few = TICKETS_ONE }, .by_session = { .total = UINT64_MAX,
    .one = UINT64_MAX, .few = UINT64_MAX } };

void
ticket_init(void)
{
	TAILQ_INIT(&tickets.queue);
}

unsigned
ticket_count(void)
{
	return ((unsigned)tickets.table.count);
}

static void
ticket_free(struct ticket *t)
{
	index_del(&tickets.table, &t->link);
	TAILQ_REMOVE(&tickets.queue, t, entry);
	budget_leave(&tickets.places, &t->place);
	budget_leave(&tickets.by_session, &t->of_session);
	freezero(t, sizeof(*t));
}

static void
ticket_sweep(const struct now *now)
{
	struct ticket	*t;

	while ((t = TAILQ_FIRST(&tickets.queue)) != NULL &&
	    t->until_ms <= now->ms)
		ticket_free(t);
}

int
ticket_new(const char hash[HEX64_SIZE], const struct operator *who,
    const char *session, const char *service, uint64_t stream,
    const struct now *now)
{
	struct ticket	*t;

	ticket_sweep(now);
	if ((t = calloc(1, sizeof(*t))) == NULL)
		return (-1);
	if (budget_take(&tickets.places, &t->place, who->id, NULL, 1) == -1) {
		free(t);
		return (-1);
	}
	if (budget_take(&tickets.by_session, &t->of_session, session, NULL,
	    1) == -1) {
		budget_leave(&tickets.places, &t->place);
		free(t);
		return (-1);
	}
	strlcpy(t->hash, hash, sizeof(t->hash));
	strlcpy(t->session, session, sizeof(t->session));
	strlcpy(t->service, service, sizeof(t->service));
	t->stream = stream;
	t->who = *who;
	t->until_ms = now->ms + core_env.conf->ticket_lifetime * 1000;
	index_add(&tickets.table, &t->link, index_key(t->hash));
	TAILQ_INSERT_TAIL(&tickets.queue, t, entry);
	return (0);
}

int
ticket_take(const char hash[HEX64_SIZE], struct operator *who,
    char session[UUID_SIZE], char service[SERVICE_SIZE], uint64_t *stream,
    const struct now *now)
{
	struct link	*l;
	struct ticket	*t;

	ticket_sweep(now);
	for (l = index_find(&tickets.table, index_key(hash)); l != NULL;
	    l = index_next(l)) {
		t = OWNER(l, struct ticket, link);
		if (sodium_memcmp(t->hash, hash, sizeof(t->hash)) != 0)
			continue;
		*who = t->who;
		*stream = t->stream;
		strlcpy(session, t->session, UUID_SIZE);
		strlcpy(service, t->service, SERVICE_SIZE);
		ticket_free(t);
		return (0);
	}
	return (-1);
}

int
ticket_waits(const char *session, const struct now *now)
{
	ticket_sweep(now);
	return (budget_of(&tickets.by_session, session) > 0);
}

void
ticket_end_session(const char *session)
{
	struct ticket	*t, *next;

	for (t = TAILQ_FIRST(&tickets.queue); t != NULL; t = next) {
		next = TAILQ_NEXT(t, entry);
		if (strcmp(t->session, session) == 0)
			ticket_free(t);
	}
}

void
ticket_clear(void)
{
	struct ticket	*t;

	while ((t = TAILQ_FIRST(&tickets.queue)) != NULL)
		ticket_free(t);
}
