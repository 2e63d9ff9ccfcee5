/* SPDX-License-Identifier: ISC */
/*
 * Making the tables, or bringing them up to date: over a connection of its own,
 * which may take its time. It is one transaction; what was there before stays
 * when it fails.
 */
#include <event2/event.h>

#include <stdio.h>
#include <string.h>

#include "authd/store/store.h"
#include "base/compat.h"
#include "base/log.h"
#include "pg.h"
#include "proc/proc.h"

static struct {
	PGconn		*pg;		/* NULL: nobody applies */
	struct event	*ev;
	int		 is_sent;
	char		 err[256];
	void		(*then)(const char *, void *);
	void		*arg;
} apply;

static void	apply_event(evutil_socket_t, short, void *);

static void
apply_end(const char *err)
{
	char	why[256];

	strlcpy(why, err != NULL ? err : "", sizeof(why));
	why[strcspn(why, "\n")] = '\0';
	if (apply.ev != NULL)
		event_free(apply.ev);
	apply.ev = NULL;
	PQfinish(apply.pg);
	apply.pg = NULL;
	apply.then(err != NULL ? why : NULL, apply.arg);
}

static void
apply_watch(short events)
{
	if (apply.ev != NULL)
		event_free(apply.ev);
	apply.ev = event_new(proc_base(), PQsocket(apply.pg), events,
	    apply_event, NULL);
	if (apply.ev == NULL || event_add(apply.ev, NULL) == -1)
		apply_end("out of memory");
}

static void
apply_connecting(void)
{
	switch (PQconnectPoll(apply.pg)) {
	case PGRES_POLLING_READING:
		apply_watch(EV_READ);
		break;
	case PGRES_POLLING_WRITING:
		apply_watch(EV_WRITE);
		break;
	case PGRES_POLLING_OK:
		apply.is_sent = 1;
		if (PQsetnonblocking(apply.pg, 1) == -1 ||
		    PQsendQuery(apply.pg, pg_schema) == 0)
			apply_end(PQerrorMessage(apply.pg));
		else
			apply_watch(EV_READ | EV_WRITE);
		break;
	default:
		apply_end(PQerrorMessage(apply.pg));
	}
}

static void
apply_results(void)
{
	PGresult	*res;
	int		 more;

	if (PQconsumeInput(apply.pg) == 0 ||
	    (more = PQflush(apply.pg)) == -1) {
		apply_end(PQerrorMessage(apply.pg));
		return;
	}
	while (!PQisBusy(apply.pg)) {
		if ((res = PQgetResult(apply.pg)) == NULL) {
			apply_end(apply.err[0] != '\0' ? apply.err : NULL);
			return;
		}
		if (PQresultStatus(res) == PGRES_FATAL_ERROR &&
		    apply.err[0] == '\0')
			strlcpy(apply.err, PQresultErrorField(res,
			    PG_DIAG_MESSAGE_PRIMARY), sizeof(apply.err));
		PQclear(res);
	}
	apply_watch(more == 1 ? EV_READ | EV_WRITE : EV_READ);
}

static void
apply_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (apply.is_sent)
		apply_results();
	else
		apply_connecting();
}

int
apply_begin(PGconn *(*connect)(const char *, const char *),
    void (*then)(const char *, void *), void *arg)
{
	if (apply.pg != NULL)
		return (-1);
	memset(&apply, 0, sizeof(apply));
	apply.then = then;
	apply.arg = arg;
	apply.pg = connect("-c search_path=public -c jit=off"
	    " -c client_min_messages=error -c lock_timeout=30000"
	    " -c statement_timeout=540000 -c standard_conforming_strings=on",
	    "relayd schema");
	if (apply.pg == NULL)
		return (-1);
	if (PQstatus(apply.pg) == CONNECTION_BAD) {
		apply_end(PQerrorMessage(apply.pg));
		return (0);
	}
	apply_watch(EV_WRITE);
	return (0);
}
