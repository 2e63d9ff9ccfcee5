/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "authd/core/may.h"
#include "authd/core/session.h"
#include "authd/core/web.h"
#include "authd/now.h"
#include "authd/store/audit.h"
#include "base/clock.h"
#include "base/compat.h"
#include "handlers.h"
#include "peer.h"
#include "proc/proc.h"

/* A GRANT while the store is asked. */
struct ask {
	struct asker		asker;
	char			addr[ADDR_SIZE];
	struct proxy_claims	claims;
};

static void
grant_refuse(struct ask *ask, enum refusal why)
{
	const struct refusal_info	*no = refusal_info(why);
	struct chan			*c = asker_chan(&ask->asker);

	if (why != REFUSE_BUSY)
		audit_refusal(ask->claims.who.id, ask->addr, "ui_proxy",
		    ask->claims.session, no->text);
	if (c != NULL)
		(void)say_granted(c, ask->asker.id, -1, &(struct msg_granted){
		    .status = no->status, .message = no->text });
	freezero(ask, sizeof(*ask));
}

/* Steps 3 and 5 of operator-api.md, 7.2: the token itself. */
static enum refusal
grant_token(const struct msg_grant *in, struct proxy_claims *pc)
{
	const struct conf	*conf = proc_conf();
	char			 slug[SLUG_SIZE];
	cJSON			*payload;
	int			 r;

	if (in->token[0] == '\0')
		return (REFUSE_TOKEN_NONE);
	if ((payload = jwt_open(in->token)) == NULL)
		return (REFUSE_TOKEN);
	r = claims_proxy(payload, conf->jwt_issuer, conf->jwt_audience,
	    clock_wall(), pc);
	cJSON_Delete(payload);
	if (r == -1 || session_id_check(pc->session) == -1)
		return (REFUSE_TOKEN);
	session_slug(pc->session, slug);
	return (strcmp(slug, in->slug) == 0 ? REFUSE_NOT :
	    REFUSE_TOKEN_SESSION);
}

/* Its session by its scope; then the grant. */
static void
grant_known(const struct facts *f, void *arg)
{
	struct ask		*ask = arg;
	struct session		*se = session_find(ask->claims.session);
	struct peer		*pe = peer_find(ask->asker.instance);
	enum refusal		 no;

	if ((no = may_use(f, se, now_at())) == REFUSE_NOT && pe != NULL)
		no = grant_new(&pe->door, se, &ask->claims.who,
		    ask->claims.service, ask->addr, &ask->asker, now_at());
	if (no != REFUSE_NOT)
		grant_refuse(ask, no);
	else
		freezero(ask, sizeof(*ask));
}

int
proxyd_on_grant(struct chan *c, struct imsg *m)
{
	struct msg_grant	 in;
	struct facts_keys	 keys = { .who = NULL };
	struct session		*se;
	struct ask		*ask;
	enum refusal		 no;
	unsigned		 needs = NEED_SCOPE;

	if (get_grant(m, &in) == -1)
		return (-1);
	if ((ask = calloc(1, sizeof(*ask))) == NULL) {
		(void)say_granted(c, m->id, -1, &(struct msg_granted){
		    .status = 503, .message = "server is busy" });
		return (0);
	}
	ask->asker = asker_of(c, m);
	strlcpy(ask->addr, in.addr, sizeof(ask->addr));
	no = peer_is_ready() ? grant_token(&in, &ask->claims) : REFUSE_STORE;
	if (no != REFUSE_NOT) {
		grant_refuse(ask, no);
		return (0);
	}
	keys.who = &ask->claims.who;
	keys.asker = ask->asker.instance;
	if ((se = session_find(ask->claims.session)) != NULL)
		keys.system_id = se->row.system_id;
	else
		needs |= NEED_SESSION;
	keys.session = ask->claims.session;
	(void)facts_ask(needs, &keys, grant_known, ask);
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
	struct asker			 asker = asker_of(c, m);
	const struct refusal_info	*no;
	enum refusal			 r;

	if (get_stream_open(m, &in) == -1)
		return (-1);
	r = web_open(grant_find(&peer_of(c)->door, in.grant), in.service,
	    &asker, now_at());
	no = refusal_info(r);
	if (r != REFUSE_NOT)
		(void)say_stream_refused(c, asker.id, -1,
		    &(struct msg_stream_refused){ .status = no->status,
		    .message = no->text });
	return (0);
}
