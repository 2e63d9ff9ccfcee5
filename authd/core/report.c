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
	struct peer	*pe = peer_of(c);
	struct report	*r;
	uint32_t	 total;
	uint8_t		 kind;

	if (m_get_u8(m, &kind) == -1 || m_get_u32(m, &total) == -1 ||
	    m_end(m) == -1 || total == 0 || pe->report != NULL ||
	    (kind != REPORT_DIAGNOSTICS && kind != REPORT_USERS) ||
	    total > (kind == REPORT_USERS ? REPORT_USERS_MAX :
	    REPORT_DIAG_MAX))
		return (-1);
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return (-1);
	r->kind = kind;
	r->total = total;
	if (report_is_wanted(pe, kind) && all_bytes + total <= ALL_MAX &&
	    (r->text = malloc(total)) != NULL)
		all_bytes += total;
	pe->report = r;
	return (0);
}

int
report_on_chunk(struct chan *c, struct imsg *m)
{
	struct report	*r = peer_of(c)->report;
	const uint8_t	*p;
	size_t		 len;

	if (m_get_blob(m, &p, &len, CHUNK_MAX) == -1 || m_end(m) == -1 ||
	    r == NULL || len == 0 || len > r->total - r->got)
		return (-1);
	if (r->text != NULL)
		memcpy(r->text + r->got, p, len);
	r->got += len;
	return (0);
}

int
report_on_end(struct chan *c, struct imsg *m)
{
	struct peer	*pe = peer_of(c);
	struct report	*r = pe->report;
	struct session	*se = pe->session;

	if (m_end(m) == -1 || r == NULL || r->got != r->total ||
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
	if (m_end(m) == -1)
		return (-1);
	chan_begin(c, IMSG_API_RESULT, m->id, -1);
	chan_add_u16(c, 200);
	chan_add_str(c, "");
	chan_add_u32(c, 0);
	chan_end(c);
	return (0);
}
