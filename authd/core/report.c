/* SPDX-License-Identifier: ISC */
/*
 * Reports of a client, as its muxd has parsed and written them anew. Of users
 * nothing is kept yet: a report is read to its end and forgotten, and a fetch
 * finds none.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/log.h"
#include "report.h"
#include "session.h"
#include "authd/store/store.h"
#include "authd/msg/peer.h"

#define REPORT_GAP_MS	30000		/* between two that are stored */
#define ALL_MAX		(64U << 20)	/* bytes of unfinished reports */

struct report {
	int	 kind;
	size_t	 total, got;
	char	*text;			/* NULL: not kept */
};

static size_t	all_bytes;

void
report_free(struct report *r)
{
	if (r == NULL)
		return;
	if (r->text != NULL) {
		all_bytes -= r->total;
		freezero(r->text, r->total);
	}
	free(r);
}

/* Is it worth keeping? The last one's time is in the store: across restarts. */
static int
report_is_wanted(const struct peer *pe, int kind)
{
	if (kind != REPORT_DIAGNOSTICS || pe->session == NULL)
		return (0);
	return (pe->session->row.diagnostics_at == 0 || clock_wall_ms() -
	    pe->session->row.diagnostics_at >= REPORT_GAP_MS);
}

int
report_on_begin(struct chan *c, struct imsg *m)
{
	struct msg_report_begin	 in;
	struct peer	*pe = peer_of(c);
	struct report	*r;

	if (get_report_begin(m, &in) == -1 || in.total == 0 ||
	    pe->report != NULL ||
	    (in.kind != REPORT_DIAGNOSTICS && in.kind != REPORT_USERS) ||
	    in.total >
		(in.kind == REPORT_USERS ? REPORT_USERS_MAX : REPORT_DIAG_MAX))
		return (-1);
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (-1);
	r->kind = in.kind;
	r->total = in.total;
	if (report_is_wanted(pe, in.kind) && all_bytes + in.total <= ALL_MAX &&
	    (r->text = malloc(in.total)) != NULL)
		all_bytes += in.total;
	pe->report = r;
	return (0);
}

int
report_on_chunk(struct chan *c, struct imsg *m)
{
	struct msg_report_chunk	 in;
	struct report	*r = peer_of(c)->report;

	if (get_report_chunk(m, &in) == -1 ||
	    r == NULL || in.bytes.len == 0 || in.bytes.len > r->total - r->got)
		return (-1);
	if (r->text != NULL)
		memcpy(r->text + r->got, in.bytes.p, in.bytes.len);
	r->got += in.bytes.len;
	return (0);
}

int
report_on_end(struct chan *c, struct imsg *m)
{
	struct peer	*pe = peer_of(c);
	struct report	*r = pe->report;
	struct session	*se = pe->session;

	if (get_report_end(m) == -1 || r == NULL || r->got != r->total ||
	    (r->text != NULL && memchr(r->text, '\0', r->total) != NULL))
		return (-1);
	pe->report = NULL;
	if (r->text != NULL && se != NULL && store_session_diagnostics(
	    se->row.id, r->text, r->total, clock_wall_ms()) == 0) {
		se->row.diagnostics_at = clock_wall_ms();
		log_debug("session %s: diagnostics stored", se->row.id);
	}
	report_free(r);
	return (0);
}

int
report_on_users_fetch(struct chan *c, struct imsg *m)
{
	if (get_users_fetch(m) == -1)
		return (-1);
	(void)say_api_result(c, m->id, -1, &(struct msg_api_result){
	    .status = 200 });
	return (0);
}
