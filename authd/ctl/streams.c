/* SPDX-License-Identifier: ISC */
/* Who is where, and what has been moved until now, as their muxds know. */
#include <stdlib.h>
#include <string.h>

#include "authd/api/api.h"
#include "authd/core/rowlog.h"
#include "authd/core/session.h"
#include "base/clock.h"
#include "ctl.h"
#include "imsg/call.h"

#define LOOK_MS		500	/* a muxd that is slower is shown as it was */
#define FRESH_MS	1000	/* nobody is asked again so soon */

/* A question to each tunnel that has streams. */
struct look {
	struct ctl	ctl;
	unsigned	waits;
	struct call	call[];
};

static uint64_t	looked_ms;

static void
use_row(const struct rowlog *a, void *arg)
{
	const struct access_row	*r = &a->row;
	const struct asker	*to = arg;
	const struct session	*se = session_find(r->session_id);
	char			 since[32];

	ctl_row(to, r->session_id, se != NULL ? se->system_name : "-",
	    r->operator_name[0] != '\0' ? r->operator_name : r->operator_id,
	    strcmp(r->type, "web_terminal") == 0 ? "terminal" :
	    strcmp(r->type, "tcp") == 0 ? "tcp" : "proxy",
	    r->service[0] != '\0' ? r->service : "-", ctl_num(a->refs),
	    ctl_num(r->bytes_in), ctl_num(r->bytes_out), r->ip,
	    api_time(r->connected_at, since), CTL_END);
}

/* A row for each that the access log has open. */
static void
show(struct ctl *ctl)
{
	ctl_row(&ctl->asker, "session", "system", "operator", "kind",
	    "service", "streams", "bytes_in", "bytes_out", "address", "since",
	    CTL_END);
	rowlog_each(use_row, &ctl->asker);
	ctl_shown(ctl);
}

static void
look_less(struct look *l)
{
	if (--l->waits > 0)
		return;
	show(&l->ctl);
	free(l);
}

/* The figures have come before it (muxd_on_stream_moved()). */
static int
told(struct chan *c, struct imsg *m, void *arg)
{
	int	r = m == NULL ? 0 : get_streams_told(m);

	(void)c;
	look_less(arg);
	return (r);
}

static void
look_at(struct look *l, struct call *call, struct chan *c)
{
	uint32_t	id = call_start(call, c, LOOK_MS, told, l);

	if (id == 0)
		return;
	if (say_streams_ask(c, id) == 0)
		l->waits++;
	else
		call_cancel(call);
}

static int
has_streams(const struct peer *pe)
{
	return (pe->tunnel != NULL && pe->tunnel->nstreams > 0 &&
	    peer_state(pe) == P_UP);
}

static void
show_streams(struct ctl *ctl, const struct facts *f)
{
	struct peer	*pe;
	struct look	*l;
	size_t		 n = 0;

	(void)f;
	TAILQ_FOREACH(pe, &peers, entry)
		n += (size_t)has_streams(pe);
	if (n == 0 || (looked_ms != 0 && clock_ms() - looked_ms < FRESH_MS) ||
	    (l = calloc(1, sizeof(*l) + n * sizeof(l->call[0]))) == NULL) {
		show(ctl);
		return;
	}
	looked_ms = clock_ms();
	l->ctl = *ctl;
	l->waits = 1;
	TAILQ_FOREACH(pe, &peers, entry)
		if (n > 0 && has_streams(pe))
			look_at(l, &l->call[--n], pe->chan);
	look_less(l);
}
const struct ctl_handler	ctl_show_streams = { .fn = show_streams };
