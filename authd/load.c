/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "authd/core/may.h"
#include "authd/core/rowlog.h"
#include "authd/core/session.h"
#include "authd/store/store.h"
#include "base/compat.h"
#include "base/log.h"
#include "load.h"
#include "msg/pairing.h"
#include "msg/recording.h"
#include "msg/relay.h"
#include "now.h"

/*
 * A page of sessions, the system of each, the next page; then the rows,
 * recordings, relay sessions, used tokens of pairing. Without memory for a
 * relay session nobody is let in, and all is tried again: it would be lost
 * otherwise.
 */
static struct {
	void		(*then)(int);
	enum store_what	 what;		/* that is being loaded */
	char		 after[HEX64_SIZE];
	struct session_row page[STORE_PAGE];
	size_t		 n, i;		/* on the page; done */
	int		 done, result;
	int		 asking, answered;
} load;

static void	load_on(void);

static void
load_next(int result)
{
	if (result == -1) {
		load.done = 1;
		load.result = -1;
	}
	load.answered = 1;
	if (!load.asking)
		load_on();
}

static void
got_system(const struct answer *a, void *arg)
{
	const struct session_row	*row = &load.page[load.i++];
	struct session			*se;
	int				 r = a->r == -1 ? -1 : 0;

	(void)arg;
	/* More are open than there is room for: all others are served. */
	if (r == 0 && session_load(row, a->r == 0 ? a->system : NULL) == -1)
		log_warnx("session %s: too many open ones, left out", row->id);
	else if (r == 0 && (se = session_find(row->id)) != NULL)
		se->barred = a->r != 0 || !may_system(a->system);
	load_next(r);
}

static void
got_sessions(const struct answer *a, void *arg)
{
	(void)arg;
	load.i = 0;
	load.n = a->n;
	if (a->r == 0) {
		memcpy(load.page, a->session, a->n * sizeof(load.page[0]));
		strlcpy(load.after, load.page[a->n - 1].id,
		    sizeof(load.after));
	} else {
		load.what = ASK_OPEN_ROWS;
		load.after[0] = '\0';
	}
	load_next(a->r == -1 ? -1 : 0);
}

static void
got_rows(const struct answer *a, void *arg)
{
	size_t	i;

	(void)arg;
	for (i = 0; i < a->n && !load.done; i++) {
		strlcpy(load.after, a->access[i].id, sizeof(load.after));
		if (rowlog_load(&a->access[i], now_at()) == -1) {
			log_warnx("access log: too many open rows");
			load.done = 1;
		}
	}
	if (a->r == STORE_NONE) {
		load.what = ASK_RECORDINGS_OPEN;
		load.after[0] = '\0';
	}
	load_next(a->r == -1 ? -1 : 0);
}

static void
got_recordings(const struct answer *a, void *arg)
{
	size_t	i;

	(void)arg;
	for (i = 0; i < a->n; i++) {
		strlcpy(load.after, a->recording[i].id, sizeof(load.after));
		recording_load(&a->recording[i]);
	}
	if (a->r == STORE_NONE) {
		load.what = ASK_RELAYS;
		load.after[0] = '\0';
	}
	load_next(a->r == -1 ? -1 : 0);
}

static void
got_relays(const struct answer *a, void *arg)
{
	size_t	i;
	int	r = a->r == -1 ? -1 : 0;

	(void)arg;
	for (i = 0; i < a->n && r == 0; i++) {
		strlcpy(load.after, a->relay[i].id, sizeof(load.after));
		switch (relay_load(&a->relay[i])) {
		case RELAY_NOT:
			log_warnx("a relay session cannot be taken up");
			break;
		case RELAY_NO_MEMORY:
			log_warnx("a relay session: out of memory");
			r = -1;
			break;
		default:
			break;
		}
	}
	if (a->r == STORE_NONE) {
		load.what = ASK_CONSUMED;
		load.after[0] = '\0';
	}
	load_next(r);
}

/* Without one that it has in the store a token could be used twice. */
static void
got_consumed(const struct answer *a, void *arg)
{
	const struct consumed_row	*row;
	size_t				 i;
	int				 r = a->r;

	(void)arg;
	for (i = 0; i < a->n && r == 0; i++) {
		row = &a->consumed[i];
		strlcpy(load.after, row->id, sizeof(load.after));
		if (pairing_load(row) == -1) {
			log_warnx("a used token cannot be taken up");
			r = -1;
		}
	}
	load.done = r != 0;
	load_next(r == -1 ? -1 : 0);
}

static void
load_ask(void)
{
	struct question	q = { .what = load.what, .key = load.after };
	store_then	then = load.what == ASK_OPEN_ROWS ? got_rows :
	    load.what == ASK_RECORDINGS_OPEN ? got_recordings :
	    load.what == ASK_RELAYS ? got_relays :
	    load.what == ASK_CONSUMED ? got_consumed : got_sessions;

	if (load.i < load.n) {
		q.what = ASK_SYSTEM_BY_ID;
		q.key = load.page[load.i].system_id;
		then = got_system;
	}
	(void)store_ask(&q, then, NULL);
}

static void
load_on(void)
{
	load.asking = 1;
	while (load.answered && !load.done) {
		load.answered = 0;
		load_ask();
	}
	load.asking = 0;
	if (load.done) {
		explicit_bzero(load.page, sizeof(load.page));
		load.then(load.result);
	}
}

void
load_run(void (*then)(int))
{
	memset(&load, 0, sizeof(load));
	load.then = then;
	load.what = ASK_OPEN_SESSIONS;
	load.answered = 1;
	load_on();
}
