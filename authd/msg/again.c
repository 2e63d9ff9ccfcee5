/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/store/audit.h"
#include "base/clock.h"
#include "base/compat.h"
#include "handlers.h"
#include "internal.h"
#include "peer.h"

uint64_t
again_number(const char *text)
{
	const char	*wrong = NULL;
	long long	 n = strtonum(text, 1, INT64_MAX, &wrong);

	return (wrong != NULL ? 0 : (uint64_t)n);
}

struct stream *
again_find(const struct operator *who, const char *session, uint64_t id)
{
	struct stream	*st = stream_find(id);

	/* A back end has many operators. */
	if (!may_come_back(st, who) || strcmp(who->id, back_end.id) == 0 || (session != NULL &&
	    strcmp(st->tunnel->session->row.id, session) != 0))
		return (NULL);
	return (st);
}

static void
again_note(const struct stream *st, const char *action, const char *addr,
    const char *request)
{
	audit_done(&(struct audit){ .who = &st->who, .address = addr,
	    .action = action, .session = st->tunnel->session->row.id,
	    .service = st->service, .access = st->row->row.id,
	    .request = request });
}

void
again_came(const struct stream *st, const char *addr, const char *request)
{
	struct peer	*pe = peer_find(st->terminal);

	if (pe != NULL) {
		pe->away_ms = 0;
		pe->came++;
	}
	again_note(st, "terminal_resumed", addr, request);
}

void
again_each(const struct operator *who,
    void (*fn)(struct stream *, uint64_t, void *), void *arg)
{
	struct peer	*pe;
	struct stream	*st;

	TAILQ_FOREACH(pe, &peers, entry)
		if (peer_has(pe, RF_STREAM) && pe->stream != 0 &&
		    (st = again_find(who, NULL, pe->stream)) != NULL &&
		    st->terminal == pe->instance)
			fn(st, pe->away_ms, arg);
}

/* The one that waits longest, and how many do. */
struct waiting {
	struct stream	*first;
	uint64_t	 since;
	unsigned	 n;
};

static void
count_waiting(struct stream *st, uint64_t away_ms, void *arg)
{
	struct waiting	*w = arg;

	if (away_ms == 0)
		return;
	w->n++;
	if (w->first == NULL || away_ms < w->since) {
		w->first = st;
		w->since = away_ms;
	}
}

/* What it says is believed of its own terminal, as often as he was let in. */
int
again_on_here(struct chan *c, struct imsg *m)
{
	struct msg_term_here	 in;
	struct peer		*pe = peer_of(c);
	struct waiting		 w = { 0 };
	struct stream		*st;

	if (get_term_here(m, &in) == -1 || in.here > 1)
		return (-1);
	st = stream_find(pe->stream);
	if (in.here || st == NULL || st->terminal != pe->instance ||
	    !may_come_back(st, &st->who)) {
		pe->away_ms = 0;
		return (0);
	}
	pe->away_ms = clock_ms();
	if (pe->left <= pe->came) {
		pe->left = pe->came + 1;
		again_note(st, "terminal_detached", st->addr, NULL);
		again_each(&st->who, count_waiting, &w);
	}
	if (w.n > AGAIN_ONE) {
		rowlog_say(w.first->row, "too many terminals wait");
		stream_kill(w.first, END_LIMIT);
	}
	return (0);
}
