/* SPDX-License-Identifier: ISC */
/* Reports of a client, as its muxd has parsed and written them anew. */
#include <stdlib.h>
#include <string.h>

#include "authd/core/session.h"
#include "authd/store/store.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "follow.h"
#include "handlers.h"
#include "imsg/doc.h"
#include "peer.h"
#include "report.h"
#include "users.h"

#define REPORT_GAP_MS	30000		/* between two that are stored */
#define ALL_MAX		(64U << 20)	/* bytes of unfinished reports */

struct report {
	int		kind;
	struct doc	doc;
	struct claim	bytes;
};

static struct budget	all_bytes = { .total = ALL_MAX, .one = ALL_MAX / 8,
    .few = ALL_MAX / 4 };

void
report_free(struct report *r)
{
	if (r == NULL)
		return;
	budget_leave(&all_bytes, &r->bytes);
	doc_clear(&r->doc);
	free(r);
}

/* Room for an unfinished one. */
static int
report_room(const struct session *se, struct report *r, uint64_t total)
{
	return (budget_take(&all_bytes, &r->bytes, se->row.system_id,
	    se->org_id, total) == 0);
}

/* Is it worth keeping? The last one's time is in the store: across restarts. */
static int
report_is_wanted(struct peer *pe, int kind)
{
	if (peer_session(pe) == NULL)
		return (0);
	if (kind != REPORT_DIAGNOSTICS)
		return (users_may(pe));
	return (peer_session(pe)->row.diagnostics_at == 0 || clock_wall_ms() -
	    peer_session(pe)->row.diagnostics_at >= REPORT_GAP_MS);
}

int
report_on_begin(struct chan *c, struct imsg *m)
{
	struct msg_report_begin	 in;
	struct peer	*pe = peer_of(c);
	struct report	*r;

	if (get_report_begin(m, &in) == -1 || in.total == 0 ||
	    pe->mux.report != NULL ||
	    in.kind < REPORT_DIAGNOSTICS || in.kind > REPORT_USERS_BARE ||
	    in.total > (in.kind == REPORT_DIAGNOSTICS ? REPORT_DIAG_MAX :
	    REPORT_USERS_MAX))
		return (-1);
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (-1);
	r->kind = in.kind;
	doc_begin(&r->doc, in.total, report_is_wanted(pe, in.kind) &&
	    report_room(peer_session(pe), r, in.total));
	pe->mux.report = r;
	return (0);
}

int
report_on_chunk(struct chan *c, struct imsg *m)
{
	struct msg_doc_chunk	 in;
	struct report	*r = peer_of(c)->mux.report;

	if (get_doc_chunk(m, &in) == -1 || r == NULL)
		return (-1);
	return (doc_add(&r->doc, &in.bytes));
}

static void
report_keep(struct session *se, const struct doc *doc)
{
	if (session_diagnostics(se, doc->total) == -1) {
		log_info("session %s: diagnostics are not kept: its system or "
		    "organization has its share of the store", se->row.id);
		return;
	}
	if (store_session_diagnostics(se->row.id, doc->text, doc->total,
	    clock_wall_ms()) != 0)
		return;
	se->row.diagnostics_at = clock_wall_ms();
	se->row.diagnostics_len = doc->total;
	log_debug("session %s: diagnostics stored", se->row.id);
}

int
report_on_end(struct chan *c, struct imsg *m)
{
	struct peer	*pe = peer_of(c);
	struct report	*r = pe->mux.report;
	struct session	*se = peer_session(pe);

	if (get_report_end(m) == -1 || r == NULL || !doc_is_whole(&r->doc) ||
	    (r->doc.text != NULL &&
	    memchr(r->doc.text, '\0', r->doc.total) != NULL))
		return (-1);
	pe->mux.report = NULL;
	if (r->doc.text != NULL && se != NULL) {
		if (r->kind == REPORT_DIAGNOSTICS)
			report_keep(se, &r->doc);
		else
			users_keep(se, &r->doc, r->kind == REPORT_USERS);
		follow_session(se);
	}
	report_free(r);
	return (0);
}
