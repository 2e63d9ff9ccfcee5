/* SPDX-License-Identifier: ISC */
#include "admit.h"
#include "authd/core/may.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/core/terminal.h"
#include "authd/now.h"
#include "authd/store/audit.h"
#include "base/compat.h"
#include "handlers.h"
#include "metrics/count.h"
#include "peer.h"

static void
term_refuse(struct peer *pe, enum refusal why)
{
	const struct refusal_info	*no = refusal_info(why);
	const struct admission		*a = pe->admission;

	audit_refused(&(struct refused){ .who = &a->who,
	    .type = terminal_kind(a->service)->type, .addr = a->addr,
	    .session = a->session, .service = a->service,
	    .request = a->request, .why = why });
	count((role_class(pe->role) == CLASS_TCP ? CT_STREAM_TCP_OK :
	    CT_STREAM_TERMINAL_OK) + metric_outcome(no->status));
	(void)say_term_refuse(pe->chan, 0, -1, &(struct msg_term_refuse){
	    .status = no->status, .message = no->text });
	peer_must_go(pe);
}

static void
termd_known(const struct facts *f, void *arg)
{
	struct peer			*pe = arg;
	const struct admission		*a = pe->admission;
	struct session			*se = session_find(a->session);
	struct asker			 asker = { .instance = pe->instance };
	enum refusal			 no;

	pe->asking = NULL;
	strlcpy(asker.request, a->request, sizeof(asker.request));
	no = may_terminal(f, se, now_at());
	if (no == REFUSE_NOT)
		no = terminal_open(&asker, se, a->service, &a->who,
		    a->addr, &pe->stream, now_at());
	if (no != REFUSE_NOT)
		term_refuse(pe, no);
}

/* Scope and state were looked at when the ticket was used: once more. */
void
termd_started(struct peer *pe)
{
	const struct admission	*a = pe->admission;
	struct facts_keys	 keys = { .who = &a->who,
	    .session = a->session, .asker = pe->instance };
	struct session		*se;
	unsigned		 needs = NEED_SCOPE;

	if (class_info((unsigned)a->class)->role != pe->role) {
		term_refuse(pe, REFUSE_TICKET);
		return;
	}
	if ((se = session_find(a->session)) != NULL)
		keys.system_id = se->row.system_id;
	else
		needs |= NEED_SESSION;
	pe->asking = facts_ask(needs, &keys, termd_known, pe);
}

int
termd_on_end(struct chan *c, struct imsg *m)
{
	struct msg_term_end	 in;
	struct peer		*pe = peer_of(c);
	struct stream		*st;

	if (get_term_end(m, &in) == -1 || in.why >= END_COUNT)
		return (-1);
	st = stream_find(pe->stream);
	/* muxd's word brings the bytes, this one the reason. */
	if (st != NULL && st->terminal == pe->instance && st->row != NULL)
		rowlog_say(st->row, in.text);
	return (0);
}
