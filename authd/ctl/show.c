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
#include "authd/msg/member.h"
#include "authd/msg/recording.h"
#include "authd/store/audit.h"
#include "authd/store/store.h"
#include "authd/turn.h"
#include "base/clock.h"
#include "base/compat.h"
#include "ctl.h"
#include "elsewhere.h"

static void
show_sessions(struct ctl *ctl, const struct facts *f)
{
	struct session	*se;
	char		 from[32], to[32];

	(void)f;
	ctl_row(&ctl->asker, "session", "system", "key", "node", "status",
	    "tunnel", "services", "streams", "started", "expires",
	    member_is_one() ? "member" : CTL_END, CTL_END);
	TAILQ_FOREACH(se, &sessions, entry)
		ctl_row(&ctl->asker, se->row.id, se->system_name,
		    se->system_key, se->row.node[0] != '\0' ? se->row.node :
		    "-", session_status_name(se->row.status),
		    se->tunnel != NULL ? "up" : "down",
		    ctl_num(se->services != NULL ? se->services->n : 0),
		    ctl_num(se->tunnel != NULL ? se->tunnel->nstreams : 0),
		    api_time(se->row.started_at, from),
		    api_time(se->row.expires_at, to),
		    member_is_one() ? member_self() : CTL_END, CTL_END);
	if (member_is_one() && peer_is_ready())
		ctl_elsewhere(ctl);
	else
		ctl_shown(ctl);
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
		ctl_row(&ctl->asker, ctl_num(pe->instance), se->row.id,
		    se->system_name,
		    se->row.node[0] != '\0' ? se->row.node : "-",
		    pe->mux.addr[0] != '\0' ? pe->mux.addr : "-",
		    peer_state_name(peer_state(pe)), ctl_num(se->tunnel->nstreams),
		    rtt, ctl_num(pe->mux.bytes_in), ctl_num(pe->mux.bytes_out),
		    ctl_num(pe->mux.lease.n), pe->mux.since != 0 ?
		    api_time(pe->mux.since, since) : "-",
		    ctl_num(moves ? pe->mux.rate_in : 0),
		    ctl_num(moves ? pe->mux.rate_out : 0), CTL_END);
	}
	ctl_shown(ctl);
}
const struct ctl_handler	ctl_show_tunnels = { .fn = show_tunnels };

static void
show_services(struct ctl *ctl, const struct facts *f)
{
	const struct service	*sv;
	struct session		*se;
	unsigned		 i;
	int			 many;

	if ((se = ctl_session(ctl->word[0], &many)) == NULL) {
		ctl_session_none(ctl, f, many);
		return;
	}
	ctl_row(&ctl->asker, "name", "target", "host", "tls", "tcp",
	    "label", CTL_END);
	for (i = 0; se->services != NULL && i < se->services->n; i++) {
		sv = se->services->v[i];
		ctl_row(&ctl->asker, sv->name, sv->target,
		    sv->host[0] != '\0' ? sv->host : "-",
		    sv->tls ? "yes" : "no", service_is_tcp(sv) ? "yes" : "no", sv->label,
		    CTL_END);
	}
	ctl_done(&ctl->asker, 0, "");
}
const struct ctl_handler	ctl_show_services = { .fn = show_services,
    .needs = NEED_SESSION };

static void
show_stats(struct ctl *ctl, const struct facts *f)
{
	const struct asker	*a = &ctl->asker;
	const struct peer	*pe;
	unsigned long		 late = 0;

	(void)f;
	ctl_row(a, "name", "value", CTL_END);
	ctl_row(a, "sessions", ctl_num(session_count()), CTL_END);
	ctl_row(a, "tunnels", ctl_num(session_tunnels()), CTL_END);
	ctl_row(a, "streams", ctl_num(stream_count()), CTL_END);
	ctl_row(a, "grants", ctl_num(grant_count()), CTL_END);
	ctl_row(a, "tickets", ctl_num(ticket_count()), CTL_END);
	ctl_row(a, "admissions", ctl_num(admit_count()), CTL_END);
	ctl_row(a, "terminals", ctl_num(admit_open(CLASS_TERMINAL)), CTL_END);
	ctl_row(a, "tcp connections", ctl_num(admit_open(CLASS_TCP)), CTL_END);
	ctl_row(a, "recordings", ctl_num(recording_count()), CTL_END);
	ctl_row(a, "access_rows_open", ctl_num(rowlog_open()), CTL_END);
	ctl_row(a, "audit_left_out", ctl_num(audit_left_out()), CTL_END);
	ctl_row(a, "credit_leased_mib", ctl_num(credit_leased_mib()), CTL_END);
	ctl_row(a, "credit_total_mib", ctl_num(credit_total_mib()), CTL_END);
	TAILQ_FOREACH(pe, &peers, entry)
		late += chan_late_answers(pe->chan);
	ctl_row(a, "late_answers", ctl_num(late), CTL_END);
	ctl_row(a, "store_questions", ctl_num(store_waiting()), CTL_END);
	ctl_row(a, "turns", ctl_num(turn_count()), CTL_END);
	ctl_row(a, "store", store_is_up() ? "up" : "down", CTL_END);
	ctl_row(a, "draining", member_is_draining() ? "yes" : "no", CTL_END);
	ctl_done(a, 0, "");
}
const struct ctl_handler	ctl_show_stats = { .fn = show_stats };
