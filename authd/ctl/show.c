/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "authd/api/api.h"
#include "authd/core/grant.h"
#include "authd/core/rowlog.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/ticket.h"
#include "authd/msg/admit.h"
#include "authd/msg/credit.h"
#include "authd/msg/recording.h"
#include "authd/store/audit.h"
#include "authd/store/store.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "ctl.h"

/* A number as a cell; a few may be in use at once. */
static const char *
num(uint64_t v)
{
	static char	 text[8][24];
	static unsigned	 i;
	char		*s = text[i++ % 8];

	snprintf(s, sizeof(text[0]), "%llu", (unsigned long long)v);
	return (s);
}

/* Without the store nobody knows whether that was all. */
static void
show_done(const struct ctl *ctl)
{
	if (peer_is_ready())
		ctl_done(&ctl->asker, 0, "");
	else
		ctl_done(&ctl->asker, 503, "store is unavailable");
}

static void
show_sessions(struct ctl *ctl, const struct facts *f)
{
	struct session	*se;
	char		 from[32], to[32];

	(void)f;
	ctl_row(&ctl->asker, "session", "system", "key", "node", "status",
	    "tunnel", "services", "streams", "started", "expires", CTL_END);
	TAILQ_FOREACH(se, &sessions, entry)
		ctl_row(&ctl->asker, se->row.id, se->system_name,
		    se->system_key, se->row.node[0] != '\0' ? se->row.node :
		    "-", session_status_name(se->row.status),
		    se->tunnel != NULL ? "up" : "down",
		    num(se->services != NULL ? se->services->n : 0),
		    num(se->tunnel != NULL ? se->tunnel->nstreams : 0),
		    api_time(se->row.started_at, from),
		    api_time(se->row.expires_at, to), CTL_END);
	show_done(ctl);
}
const struct ctl_handler	ctl_show_sessions = { .fn = show_sessions };

/* Since its last report, which comes every 15 s while a tunnel moves. */
#define STILL_MS	20000

static void
show_tunnels(struct ctl *ctl, const struct facts *f)
{
	struct session	*se;
	struct peer	*pe;
	char		 since[32], rtt[32];
	int		 moves;

	(void)f;
	ctl_row(&ctl->asker, "instance", "session", "system", "node",
	    "address", "state", "streams", "rtt_ms", "bytes_in", "bytes_out",
	    "credit_mib", "since", "rate_in", "rate_out", CTL_END);
	TAILQ_FOREACH(se, &sessions, entry) {
		if (se->tunnel == NULL ||
		    (pe = peer_find(se->tunnel->instance)) == NULL)
			continue;
		moves = clock_ms() - pe->mux.told_ms < STILL_MS;
		snprintf(rtt, sizeof(rtt), "%.1f", pe->mux.rtt_us / 1000.0);
		ctl_row(&ctl->asker, num(pe->instance), se->row.id,
		    se->system_name,
		    se->row.node[0] != '\0' ? se->row.node : "-",
		    pe->mux.addr[0] != '\0' ? pe->mux.addr : "-",
		    peer_state_name(peer_state(pe)), num(se->tunnel->nstreams),
		    rtt, num(pe->mux.bytes_in), num(pe->mux.bytes_out),
		    num(pe->mux.lease.n), pe->mux.since != 0 ?
		    api_time(pe->mux.since, since) : "-",
		    num(moves ? pe->mux.rate_in : 0),
		    num(moves ? pe->mux.rate_out : 0), CTL_END);
	}
	show_done(ctl);
}
const struct ctl_handler	ctl_show_tunnels = { .fn = show_tunnels };

static void
use_row(const struct rowlog *a, void *arg)
{
	const struct access_row	*r = &a->row;
	const struct ctl	*ctl = arg;
	const struct session	*se = session_find(r->session_id);
	char			 since[32];

	ctl_row(&ctl->asker, r->session_id, se != NULL ? se->system_name : "-",
	    r->operator_name[0] != '\0' ? r->operator_name : r->operator_id,
	    strcmp(r->type, "web_terminal") == 0 ? "terminal" :
	    strcmp(r->type, "tcp") == 0 ? "tcp" : "proxy",
	    r->service[0] != '\0' ? r->service : "-", num(a->refs),
	    num(r->bytes_in), num(r->bytes_out), r->ip,
	    api_time(r->connected_at, since), CTL_END);
}

/* Who is where: a row for each that the access log has open. */
static void
show_streams(struct ctl *ctl, const struct facts *f)
{
	(void)f;
	ctl_row(&ctl->asker, "session", "system", "operator", "kind",
	    "service", "streams", "bytes_in", "bytes_out", "address", "since",
	    CTL_END);
	rowlog_each(use_row, ctl);
	show_done(ctl);
}
const struct ctl_handler	ctl_show_streams = { .fn = show_streams };

static void
show_services(struct ctl *ctl, const struct facts *f)
{
	const struct service	*sv;
	struct session		*se;
	unsigned		 i;
	int			 many;

	(void)f;
	if ((se = ctl_session(ctl->word[0], &many)) == NULL) {
		ctl_done(&ctl->asker, many ? 409 : 404, many ?
		    "more than one session begins so" : "no such session");
		return;
	}
	ctl_row(&ctl->asker, "name", "target", "host", "tls", "tcp",
	    "label", CTL_END);
	for (i = 0; se->services != NULL && i < se->services->n; i++) {
		sv = se->services->v[i];
		ctl_row(&ctl->asker, sv->name, sv->target,
		    sv->host[0] != '\0' ? sv->host : "-",
		    sv->tls ? "yes" : "no", sv->tcp ? "yes" : "no", sv->label,
		    CTL_END);
	}
	ctl_done(&ctl->asker, 0, "");
}
const struct ctl_handler	ctl_show_services = { .fn = show_services };

static void
show_stats(struct ctl *ctl, const struct facts *f)
{
	const struct asker	*a = &ctl->asker;
	const struct peer	*pe;
	unsigned long		 late = 0;

	(void)f;
	ctl_row(a, "name", "value", CTL_END);
	ctl_row(a, "sessions", num(session_count()), CTL_END);
	ctl_row(a, "tunnels", num(session_tunnels()), CTL_END);
	ctl_row(a, "streams", num(stream_count()), CTL_END);
	ctl_row(a, "grants", num(grant_count()), CTL_END);
	ctl_row(a, "tickets", num(ticket_count()), CTL_END);
	ctl_row(a, "admissions", num(admit_count()), CTL_END);
	ctl_row(a, "terminals", num(admit_open(CLASS_TERMINAL)), CTL_END);
	ctl_row(a, "tcp connections", num(admit_open(CLASS_TCP)), CTL_END);
	ctl_row(a, "recordings", num(recording_count()), CTL_END);
	ctl_row(a, "access_rows_open", num(rowlog_open()), CTL_END);
	ctl_row(a, "audit_left_out", num(audit_left_out()), CTL_END);
	ctl_row(a, "credit_leased_mib", num(credit_leased_mib()), CTL_END);
	ctl_row(a, "credit_total_mib", num(credit_total_mib()), CTL_END);
	TAILQ_FOREACH(pe, &peers, entry)
		late += chan_late_answers(pe->chan);
	ctl_row(a, "late_answers", num(late), CTL_END);
	ctl_row(a, "store_questions", num(store_waiting()), CTL_END);
	ctl_row(a, "turns", num(turn_count()), CTL_END);
	ctl_row(a, "store", store_is_up() ? "up" : "down", CTL_END);
	ctl_done(a, 0, "");
}
const struct ctl_handler	ctl_show_stats = { .fn = show_stats };
