/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <sys/queue.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/index.h"
#include "proc/proc.h"
#include "base/rate.h"
#include "authd/cred/secret.h"
#include "ticket.h"

#define TICKETS_MAX	4096	/* that wait to be used */
#define RATE_PLACES	4096
#define RATE_MS		60000

struct ticket {
	struct link		 link;
	TAILQ_ENTRY(ticket)	 entry;
	char			 hash[HEX64_SIZE];
	uint64_t		 until_ms;
	char			 session[UUID_SIZE];
	struct operator		 who;
};

static struct {
	struct index		 table;
	TAILQ_HEAD(, ticket)	 queue;		/* oldest first */
	struct rate		*by_operator;
} tickets;

int
ticket_init(void)
{
	TAILQ_INIT(&tickets.queue);
	tickets.by_operator = rate_new(RATE_PLACES);
	return (tickets.by_operator == NULL ? -1 : 0);
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
	freezero(t, sizeof(*t));
}

static void
ticket_sweep(void)
{
	struct ticket	*t;

	while ((t = TAILQ_FIRST(&tickets.queue)) != NULL &&
	    t->until_ms <= clock_ms())
		ticket_free(t);
}

int
ticket_new(const struct operator *who, const char *session,
    char ticket[HEX64_SIZE], uint32_t *retry_s)
{
	struct ticket	*t;

	*retry_s = 0;
	if (rate_hit(tickets.by_operator, who->id, proc_conf()->ticket_rate,
	    RATE_MS, retry_s) == -1)
		return (-1);
	ticket_sweep();
	if (tickets.table.count >= TICKETS_MAX ||
	    (t = calloc(1, sizeof(*t))) == NULL)
		return (-1);
	secret_token(ticket);
	secret_hash(ticket, t->hash);
	strlcpy(t->session, session, sizeof(t->session));
	t->who = *who;
	t->until_ms = clock_ms() + proc_conf()->ticket_lifetime * 1000;
	index_add(&tickets.table, &t->link, index_key(t->hash));
	TAILQ_INSERT_TAIL(&tickets.queue, t, entry);
	return (0);
}

int
ticket_take(const char *ticket, struct operator *who, char session[UUID_SIZE])
{
	char		 hash[HEX64_SIZE];
	struct link	*l;
	struct ticket	*t;

	ticket_sweep();
	secret_hash(ticket, hash);
	for (l = index_find(&tickets.table, index_key(hash)); l != NULL;
	    l = index_next(l)) {
		t = OWNER(l, struct ticket, link);
		if (sodium_memcmp(t->hash, hash, sizeof(hash)) != 0)
			continue;
		*who = t->who;
		strlcpy(session, t->session, UUID_SIZE);
		ticket_free(t);
		return (0);
	}
	return (-1);
}

void
ticket_forget_session(const char *session)
{
	struct ticket	*t, *next;

	for (t = TAILQ_FIRST(&tickets.queue); t != NULL; t = next) {
		next = TAILQ_NEXT(t, entry);
		if (strcmp(t->session, session) == 0)
			ticket_free(t);
	}
}
