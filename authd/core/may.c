/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "may.h"
#include "session.h"
#include "stream.h"
#include "terminal.h"

enum refusal
may_act(const struct facts *f)
{
	if (f->got_revoked == STORE_NONE)
		return (REFUSE_NOT);
	if (f->got_revoked != 0)
		return (REFUSE_SECURITY);
	return (strcmp(f->revoked.kind, "user") == 0 ? REFUSE_USER_REVOKED :
	    REFUSE_TOKEN_REVOKED);
}

enum refusal
may_see(const struct facts *f)
{
	enum refusal	no;

	if ((no = may_act(f)) != REFUSE_NOT)
		return (no);
	if (f->got_visible == 0)
		return (REFUSE_NOT);
	return (f->got_visible == STORE_NONE ? REFUSE_SESSION_NONE :
	    REFUSE_SECURITY);
}

enum refusal
may_see_system(const struct facts *f)
{
	enum refusal	no;

	if (f->got_system == -1)
		return (REFUSE_STORE);
	if (f->got_system != 0)
		return (REFUSE_SYSTEM_NONE);
	no = may_see(f);
	return (no == REFUSE_SESSION_NONE ? REFUSE_SYSTEM_NONE : no);
}

enum refusal
may_own(const struct facts *f)
{
	if (f->got_org_seen == -1)
		return (REFUSE_STORE);
	return (f->got_org_seen == 0 ? REFUSE_NOT : REFUSE_SCOPE);
}

int
may_still(const struct facts *f)
{
	return (f->got_revoked != 0 && f->got_visible != STORE_NONE);
}

enum refusal
may_use(const struct facts *f, const struct session *se, const struct now *now)
{
	enum refusal	no;

	if (se == NULL && f->got_session == -1)
		return (REFUSE_STORE);
	if (se == NULL && f->got_session == STORE_NONE)
		return (REFUSE_SESSION_NONE);
	if ((no = may_see(f)) != REFUSE_NOT)
		return (no);
	/* What was closed, or has run out, does not come back. */
	if (se != NULL ? !session_is_open(se, now) : f->got_session == 0 &&
	    f->session.status > SESSION_ACTIVE)
		return (REFUSE_SESSION_OVER);
	if (se == NULL && f->got_session == 0 && core_env.is_elsewhere !=
	    NULL && core_env.is_elsewhere(f->session.member))
		return (REFUSE_ELSEWHERE);
	/* In grace it is in no member's memory. */
	if (se == NULL && f->got_session == 0 &&
	    f->session.status == SESSION_ACTIVE)
		return (REFUSE_TUNNEL_NONE);
	if (se == NULL || se->row.status != SESSION_ACTIVE)
		return (REFUSE_SESSION_STATE);
	return (REFUSE_NOT);
}

enum refusal
may_terminal(const struct facts *f, const struct session *se,
    const struct now *now)
{
	enum refusal	no;

	if ((no = may_use(f, se, now)) != REFUSE_NOT)
		return (no);
	return (session_tunnel(se) == NULL ? REFUSE_TUNNEL_NONE : REFUSE_NOT);
}

/* Whoever acts as somebody comes back to what he opened as that one. */
int
may_come_back(const struct stream *st, const struct operator *who)
{
	return (st != NULL && st->kind == &stream_terminal &&
	    st->state == STREAM_OPENED && !st->queued &&
	    st->tunnel->session != NULL && !st->tunnel->session->over &&
	    strcmp(st->who.id, who->id) == 0 &&
	    strcmp(st->who.impersonator, who->impersonator) == 0);
}

enum refusal
may_look_after(const struct operator *who)
{
	return (strcasecmp(who->org_role, "owner") == 0 ?
	    REFUSE_NOT : REFUSE_PERMISSION);
}

int
may_system(const struct system_row *sys)
{
	return (sys->deleted_at == 0 && sys->support_enabled &&
	    sys->suspended_at == 0);
}

enum refusal
may_connect(const struct facts *f)
{
	if (f->got_system == -1)
		return (REFUSE_STORE);
	return (f->got_system == 0 && may_system(&f->system) ? REFUSE_NOT :
	    REFUSE_DISABLED);
}
