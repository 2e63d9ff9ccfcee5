/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>
#include <sodium.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "authd/core/guest.h"
#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/core/web.h"
#include "authd/cred/bearer.h"
#include "authd/cred/refer.h"
#include "authd/now.h"
#include "authd/store/audit.h"
#include "base/addr.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/request.h"
#include "guests.h"
#include "handlers.h"
#include "internal.h"
#include "member.h"
#include "metrics/count.h"
#include "peer.h"
#include "proc/alone.h"
#include "proc/proc.h"

#define REFERENCE_MS	500	/* of the two seconds that proxyd waits */
#define ALONE_ROWS	256	/* begun for what one proxyd refused alone, */
#define ALONE_MS	60000	/* in this time */

static const char	*const alone[ALONE_COUNT] = {
#define N(NAME, reason)	[ALONE_##NAME] = reason,
#include "proc/alone.def"
#undef N
};

/* A GRANT while the store is asked. */
struct ask {
	struct asker		asker;
	char			addr[ADDR_SIZE], slug[SLUG_SIZE];
	char			reference[REFERENCE_SIZE];	/* asked with, */
	struct reference_row	row;		/* or, with an id, for later */
	int			bearer;		/* 1: an operator's token,
						   2: a back end's */
	char			service[SERVICE_SIZE];	/* for this one */
	char			sibling[UUID_SIZE];	/* over there */
	char			later[HEX64_SIZE];	/* internal_known() */
	struct proxy_claims	claims;
};

static void
grant_refuse(struct ask *ask, enum refusal why)
{
	const struct refusal_info	*no = refusal_info(why);
	struct chan			*c = asker_chan(&ask->asker);

	audit_refused(&(struct refused){ .who = &ask->claims.who,
	    .type = ROW_WEB, .addr = ask->addr,
	    .session = ask->claims.session, .service = ask->claims.service,
	    .request = ask->asker.request, .why = why });
	count(CT_GRANT_OK + metric_outcome(no->status));
	if (c != NULL)
		(void)say_granted(c, ask->asker.id, -1, &(struct msg_granted){
		    .status = no->status, .message = no->text });
	freezero(ask, sizeof(*ask));
}

/* Steps 3 and 5 of operator-api.md, 7.2: the token itself. */
static enum refusal
grant_token(const char *token, const char *wanted, struct proxy_claims *pc)
{
	const struct conf	*conf = proc_conf();
	char			 slug[SLUG_SIZE];
	cJSON			*payload;
	int			 r;

	if (token[0] == '\0')
		return (REFUSE_TOKEN_NONE);
	if ((payload = jwt_open(token)) == NULL)
		return (bearer_lacks() ? REFUSE_BUSY : REFUSE_TOKEN);
	r = claims_proxy(payload, conf->jwt_issuer, conf->jwt_audience,
	    clock_wall(), pc);
	cJSON_Delete(payload);
	if (r == -1 || session_id_check(pc->session) == -1)
		return (REFUSE_TOKEN);
	session_slug(pc->session, slug);
	return (strcmp(slug, wanted) == 0 ? REFUSE_NOT :
	    REFUSE_TOKEN_SESSION);
}

/* An operator's token and a slug say as much as a proxy token. */
static enum refusal
grant_operator(const char *token, const struct ask *ask,
    struct proxy_claims *pc)
{
	const char	*s = ask->slug;
	enum refusal	 no;

	if ((no = bearer_operator(token, &pc->who)) != REFUSE_NOT)
		return (no);
	if (!((pc->who.permits >> NEEDS_CONNECT) & 1))
		return (REFUSE_PERMISSION);
	snprintf(pc->session, sizeof(pc->session),
	    "%.8s-%.4s-%.4s-%.4s-%.12s", s, s + 8, s + 12, s + 16, s + 20);
	strlcpy(pc->service, ask->service, sizeof(pc->service));
	return (session_id_check(pc->session) == 0 ? REFUSE_NOT :
	    REFUSE_SESSION_NONE);
}

/* Ours, or another member's that has a sibling here, and is open there. */
static struct session *
grant_own(const struct facts *f, const char *id)
{
	struct session	*se = session_find(id);

	if (se == NULL && f->got_session == 0 &&
	    f->session.status == SESSION_ACTIVE &&
	    member_is_elsewhere(f->session.member)) {
		if ((se = guest_find(id)) != NULL)
			se->row.status = f->session.status;
		else
			guests_look();	/* it has just come there */
	}
	return (se);
}

/*
 * Which session it is for: the token's, or a sibling, that the same operator
 * may use for the same reason: who may see a system sees all sessions of it.
 */
static enum refusal
grant_session(const struct facts *f, const struct ask *ask, struct session **se,
    struct session **lender)
{
	struct session	*own = grant_own(f, ask->claims.session);
	enum refusal	 no = may_use(f, own, now_at());

	*se = own;
	*lender = NULL;
	if (no != REFUSE_NOT || ask->sibling[0] == '\0')
		return (no);
	*lender = own;
	*se = session_find(ask->sibling);
	if (*se == NULL || *se == own ||
	    strcmp((*se)->row.system_id, own->row.system_id) != 0)
		return (REFUSE_SESSION_NONE);
	return (may_use(f, *se, now_at()));
}

/* Its session by its scope; then the grant. */
static void
grant_known(const struct facts *f, void *arg)
{
	struct ask		*ask = arg;
	struct peer		*pe = peer_find(ask->asker.instance);
	struct grant_ask	 new = { .who = &ask->claims.who,
	    .addr = ask->addr, .asker = ask->asker };
	enum refusal		 no;

	no = ask->later[0] == '\0' ? REFUSE_NOT :
	    internal_known(f, ask->later, &ask->claims);
	if (no == REFUSE_NOT)
		no = grant_session(f, ask, &new.session, &new.lender);
	/* The cookies that are to come have something shorter. */
	if (no == REFUSE_NOT && ask->row.id[0] != '\0' &&
	    store_reference_add(&ask->row, clock_wall()) != 0)
		no = REFUSE_STORE;
	new.service = ask->service[0] != '\0' ? ask->service :
	    ask->claims.service;
	new.reference = ask->row.id[0] != '\0' ? ask->reference : "";
	if (no == REFUSE_NOT && pe != NULL) {
		new.door = &pe->door;
		no = grant_new(&new, now_at());
	}
	if (no != REFUSE_NOT)
		grant_refuse(ask, no);
	else
		freezero(ask, sizeof(*ask));
}

/* The token is there. */
static void
grant_begin(struct ask *ask, const char *token)
{
	struct facts_keys	 keys = { .who = NULL };
	struct session		*se;
	enum refusal		 no;
	unsigned		 needs = NEED_SCOPE;

	no = ask->bearer == 2 ? internal_grant(token, ask->slug,
	    &ask->claims, ask->later) : ask->bearer ? grant_operator(token, ask, &ask->claims) :
	    grant_token(token, ask->slug, &ask->claims);
	if (no != REFUSE_NOT) {
		grant_refuse(ask, no);
		return;
	}
	if (!ask->bearer && ask->sibling[0] == '\0' &&
	    ask->reference[0] == '\0' &&
	    refer_make(token, &ask->claims, ask->reference) == 0) {
		refer_hash(ask->reference, ask->row.id);
		strlcpy(ask->row.session_id, ask->claims.session,
		    sizeof(ask->row.session_id));
		strlcpy(ask->row.operator_id, ask->claims.who.id,
		    sizeof(ask->row.operator_id));
		ask->row.expires_at = ask->claims.who.expires;
		(void)refer_seal(ask->reference, token, ask->row.sealed);
	}
	keys.who = &ask->claims.who;
	keys.asker = ask->asker.instance;
	if ((se = session_find(ask->claims.session)) != NULL)
		keys.system_id = se->row.system_id;
	else
		needs |= NEED_SESSION;
	keys.session = ask->claims.session;
	(void)facts_ask(needs, &keys, grant_known, ask);
}

/* What a reference stands for. */
static void
grant_referred(const struct answer *a, void *arg)
{
	struct ask	*ask = arg;
	char		 token[REFER_TOKEN_MAX + 1];

	log_request(ask->asker.request);
	if (a->r != 0 || refer_open(ask->reference, a->reference->sealed,
	    token) == -1) {
		grant_refuse(ask, a->r == -1 ? REFUSE_STORE : REFUSE_TOKEN);
		log_request(NULL);
		return;
	}
	grant_begin(ask, token);
	log_request(NULL);
	sodium_memzero(token, sizeof(token));
}

int
proxyd_on_grant(struct chan *c, struct imsg *m)
{
	struct msg_grant	 in;
	struct reference	 r;
	struct ask		*ask;
	char			 id[HEX64_SIZE];

	if (get_grant(m, &in) == -1)
		return (-1);
	if ((ask = calloc(1, sizeof(*ask))) == NULL) {
		(void)say_granted(c, m->id, -1, &(struct msg_granted){
		    .status = 503, .message = "server is busy" });
		return (0);
	}
	log_request(in.request);
	ask->asker = asker_of(c, m);
	strlcpy(ask->addr, in.addr, sizeof(ask->addr));
	strlcpy(ask->slug, in.slug, sizeof(ask->slug));
	strlcpy(ask->service, in.service, sizeof(ask->service));
	strlcpy(ask->sibling, in.sibling, sizeof(ask->sibling));
	ask->bearer = in.bearer;
	if (in.bearer > 2 || (in.bearer && strlen(in.slug) !=
	    SLUG_SIZE - 1 && (in.bearer == 1 || in.slug[0] != '\0')) ||
	    (in.service[0] != '\0') != (in.bearer || in.sibling[0] != '\0') ||
	    (in.sibling[0] != '\0' && session_id_check(in.sibling) == -1)) {
		freezero(ask, sizeof(*ask));
		return (-1);
	}
	if (!peer_is_ready())
		grant_refuse(ask, REFUSE_STORE);
	else if (in.bearer ||
	    reference_read(in.token, strlen(in.token), &r) == -1)
		grant_begin(ask, in.token);
	else {
		strlcpy(ask->reference, in.token, sizeof(ask->reference));
		refer_hash(ask->reference, id);
		(void)store_ask(&(struct question){ .what = ASK_REFERENCE,
		    .key = id, .asker = ask->asker.instance,
		    .until_ms = clock_ms() + REFERENCE_MS }, grant_referred,
		    ask);
	}
	return (0);
}

int
proxyd_on_grant_drop(struct chan *c, struct imsg *m)
{
	struct msg_grant_drop	 in;
	struct grant		*g;

	if (get_grant_drop(m, &in) == -1)
		return (-1);
	if ((g = grant_find(&peer_of(c)->door, in.grant)) != NULL)
		grant_drop(g);
	return (0);
}

int
proxyd_on_stream_open(struct chan *c, struct imsg *m)
{
	struct msg_stream_open		 in;
	struct asker			 asker;
	const struct refusal_info	*no;
	struct grant			*g;
	enum refusal			 r;

	if (get_stream_open(m, &in) == -1)
		return (-1);
	log_request(in.request);
	asker = asker_of(c, m);
	g = grant_find(&peer_of(c)->door, in.grant);
	r = web_open(g, in.service, &asker, now_at());
	no = refusal_info(r);
	if (r == REFUSE_NOT)
		return (0);
	/* One that has gone since was somebody's who had access. */
	if (g != NULL)
		audit_refused(&(struct refused){ .who = &g->who,
		    .type = ROW_WEB, .addr = g->addr,
		    .session = g->session->row.id, .service = in.service,
		    .request = asker.request, .why = r });
	count(CT_STREAM_PROXY_OK + metric_outcome(no->status));
	(void)say_stream_refused(c, asker.id, -1,
	    &(struct msg_stream_refused){ .status = no->status,
	    .message = no->text });
	return (0);
}

/*
 * It says whom it refused and how often; why, in our words. A broken one can
 * lie in that, but has no more rows a minute than this, and so pushes out no
 * more of what others tell.
 */
int
proxyd_on_refused_alone(struct chan *c, struct imsg *m)
{
	struct msg_refused_alone	 in;
	struct peer			*pe = peer_of(c);
	struct addr			 ignored;

	if (get_refused_alone(m, &in) == -1 || in.why >= ALONE_COUNT ||
	    in.count == 0 || (in.request[0] != '\0' &&
	    !request_is(in.request, strlen(in.request))) || (in.addr[0] != '\0' &&
	    addr_parse(&ignored, in.addr, strlen(in.addr)) == -1))
		return (-1);
	if (pe->rows_ms == 0 || clock_ms() - pe->rows_ms >= ALONE_MS) {
		pe->rows_ms = clock_ms();
		pe->rows = 0;
	}
	if (audit_alone(&(struct audit){ .address = in.addr,
	    .action = "request", .reason = alone[in.why],
	    .request = in.request }, in.count, in.addr[0] != '\0' &&
	    pe->rows < ALONE_ROWS))
		pe->rows++;
	return (0);
}
