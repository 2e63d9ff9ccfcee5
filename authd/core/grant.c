/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "rowlog.h"
#include "authd/store/audit.h"
#include "base/compat.h"
#include "grant.h"
#include "base/log.h"
#include "proc/proc.h"
#include "services.h"
#include "session.h"
#include "authd/store/store.h"
#include "stream.h"
#include "authd/turn.h"

#define GRANTS_MAX	65536	/* of all proxyds */
#define FRESH_MS	120000	/* proxyd asks again after 60 s */
#define TELL_MS		1500	/* a tunnel's time to tell after a restart */

struct ask {
	char	token[TOKEN_SIZE], slug[SLUG_SIZE], addr[ADDR_SIZE];
};

static void	grant_rowed(void *, int);
static void	grant_late(void *);
static void	grant_expired(void *);
static void	grant_free(struct grant *);
static void	grant_answer(struct grant *);
static void	grant_busy(struct grant *);

static struct {
	struct index	table;
	uint64_t	next;
} grants;

int
grant_init(void)
{
	/* Never the number of a grant from before a restart. */
	grants.next = (uint64_t)clock_wall_ms() << 20;
	return (0);
}

unsigned
grant_count(void)
{
	return ((unsigned)grants.table.count);
}

static void
grant_refuse(struct chan *c, uint32_t id, int status, const char *message)
{
	if (c == NULL)
		return;
	(void)say_granted(c, id, -1, &(struct msg_granted){
	    .status = (uint16_t)status, .message = message });
}

int
scope_check(const struct operator *who, const char *system_id,
    const char **message)
{
	char	kind[WORD_SIZE], reason[MESSAGE_SIZE];
	int	r;

	r = store_revoked(who->token_id, who->id, clock_wall_ms(), kind,
	    reason);
	if (r == 0) {
		*message = strcmp(kind, "user") == 0 ?
		    "user account has been suspended" :
		    "token has been revoked";
		return (401);
	}
	if (r == STORE_NONE)
		r = store_visible(who->org_role, who->org_id, system_id);
	if (r == 0)
		return (0);
	if (r == STORE_NONE) {
		*message = "support session not found";
		return (404);
	}
	*message = "security service temporarily unavailable";
	return (503);
}

/* operator-api.md, 7.2, 3 and 5: the token, then the session by its scope. */
static int
grant_check(const struct ask *ask, struct proxy_claims *pc,
    struct session **sep, const char **message)
{
	const struct conf	*conf = proc_conf();
	struct session_row	 row;
	char			 slug[SLUG_SIZE];
	cJSON			*payload;
	int			 r, status;

	*message = ask->token[0] == '\0' ? "proxy token required" :
	    "invalid proxy token";
	if ((payload = jwt_open(ask->token)) == NULL)
		return (401);
	r = claims_proxy(payload, conf->jwt_issuer, conf->jwt_audience,
	    clock_wall(), pc);
	cJSON_Delete(payload);
	if (r == -1 || session_id_check(pc->session) == -1)
		return (401);
	session_slug(pc->session, slug);
	*message = "proxy token does not match this session";
	if (strcmp(slug, ask->slug) != 0)
		return (403);
	if ((*sep = session_find(pc->session)) != NULL) {
		if ((status = scope_check(&pc->who, (*sep)->row.system_id,
		    message)) != 0)
			return (status);
		*message = "support session is not active";
		return (session_is_open(*sep) &&
		    (*sep)->row.status == SESSION_ACTIVE ? 0 : 400);
	}
	/* It is over, or never was. */
	*message = "store is unavailable";
	if ((r = store_session_get(pc->session, &row)) == -1)
		return (503);
	*message = "support session not found";
	if (r == STORE_NONE)
		return (404);
	if ((status = scope_check(&pc->who, row.system_id, message)) != 0)
		return (status);
	*message = "support session is not active";
	return (400);
}

/* Lapsed ones that nothing runs under would pile up otherwise. */
static void
grant_sweep(struct peer *pe, struct session *se)
{
	struct grant	*g, *next;

	for (g = TAILQ_FIRST(&se->grants); g != NULL; g = next) {
		next = TAILQ_NEXT(g, of_session);
		if (g->proxyd == pe && g->nstreams == 0 && !grant_is_fresh(g))
			grant_end(g, END_GRANT);
	}
}

static struct grant *
grant_new(struct peer *pe, struct session *se, const struct operator *who,
    const char *addr)
{
	struct grant	*g;
	int64_t		 left;

	grant_sweep(pe, se);
	if (grants.table.count >= GRANTS_MAX ||
	    (g = calloc(1, sizeof(*g))) == NULL)
		return (NULL);
	g->id = ++grants.next;
	g->proxyd = pe;
	g->session = se;
	g->who = *who;
	strlcpy(g->addr, addr, sizeof(g->addr));
	g->asked_ms = clock_ms();
	timer_init(&g->wait, grant_late, g);
	timer_init(&g->expiry, grant_expired, g);
	index_add(&grants.table, &g->link, g->id);
	TAILQ_INSERT_TAIL(&pe->grants, g, of_peer);
	TAILQ_INSERT_TAIL(&se->grants, g, of_session);
	pe->ngrants++;
	left = who->expires - clock_wall();
	timer_set(&g->expiry, left > 0 ? (uint64_t)left * 1000 : 0);
	return (g);
}

int
grant_on_grant(struct chan *c, struct imsg *m)
{
	struct msg_grant	 in;
	struct peer		*pe = peer_of(c);
	struct proxy_claims	 pc;
	struct session		*se = NULL;
	struct grant		*g;
	struct ask		 ask;
	const char		*message;
	int			 status;

	if (get_grant(m, &in) == -1)
		return (-1);
	strlcpy(ask.token, in.token, sizeof(ask.token));
	strlcpy(ask.slug, in.slug, sizeof(ask.slug));
	strlcpy(ask.addr, in.addr, sizeof(ask.addr));
	memset(&pc, 0, sizeof(pc));
	message = "store is unavailable";
	status = peer_is_ready() ? grant_check(&ask, &pc, &se, &message) :
	    503;
	explicit_bzero(ask.token, sizeof(ask.token));
	if (status != 0) {
		audit_refusal(pc.who.id, ask.addr, "ui_proxy", pc.session,
		    message);
		grant_refuse(c, m->id, status, message);
		return (0);
	}
	if ((g = grant_new(pe, se, &pc.who, ask.addr)) == NULL) {
		grant_refuse(c, m->id, 503, "server is busy");
		return (0);
	}
	g->asker = asker_of(c, m);
	g->row = rowlog_web(&pc.who, se->row.id, pc.service, ask.addr);
	if (g->row == NULL) {
		grant_busy(g);
		return (0);
	}
	if (g->row->saved)
		grant_rowed((void *)(uintptr_t)g->id, 1);
	else
		turn_after(grant_rowed, (void *)(uintptr_t)g->id);
	return (0);
}

/* The audit row is in the store, or could not be written: then no access. */
static void
grant_rowed(void *arg, int ok)
{
	struct link *l = index_find(&grants.table, (uint64_t)(uintptr_t)arg);
	struct grant	*g;
	struct peer	*mux;

	if (l == NULL)
		return;
	g = OWNER(l, struct grant, link);
	if (!ok || g->row->failed) {
		grant_refuse(asker_chan(&g->asker), g->asker.id, 503,
		    "store is unavailable");
		g->asker.instance = 0;
		grant_free(g);
		return;
	}
	mux = g->session->tunnel;
	if (mux != NULL && peer_state(mux) == P_AGAIN)
		timer_set(&g->wait, TELL_MS);
	else
		grant_answer(g);
}

static void
grant_late(void *arg)
{
	grant_answer(arg);
}

void
grant_announced(struct session *se)
{
	struct grant	*g, *next;

	for (g = TAILQ_FIRST(&se->grants); g != NULL; g = next) {
		next = TAILQ_NEXT(g, of_session);
		if (timer_is_set(&g->wait))
			grant_answer(g);
	}
}

/* Answered with 503, and gone. */
static void
grant_busy(struct grant *g)
{
	grant_refuse(asker_chan(&g->asker), g->asker.id, 503, "server is busy");
	g->asker.instance = 0;
	grant_free(g);
}

static void
grant_answer(struct grant *g)
{
	struct chan	*c = asker_chan(&g->asker);
	int64_t		 expires = g->session->row.expires_at / 1000;

	timer_del(&g->wait);
	rowlog_release(g->row);
	g->row = NULL;
	if (c == NULL)
		return;
	if (chan_queued(c) > CHAN_QUEUE_HIGH) {
		grant_busy(g);
		return;
	}
	if (expires > g->who.expires)
		expires = g->who.expires;
	services_send(g->session, g->proxyd);
	(void)say_granted(c, g->asker.id, -1, &(struct msg_granted){
	    .grant = g->id, .session = g->session->row.id,
	    .operator = g->who.id, .expires = (uint64_t)expires,
	    .idle_max = (uint32_t)proc_conf()->max_streams / 2 });
	g->asker.instance = 0;
}

struct grant *
grant_find(const struct peer *proxyd, uint64_t id)
{
	struct link	*l = index_find(&grants.table, id);
	struct grant	*g;

	if (l == NULL)
		return (NULL);
	g = OWNER(l, struct grant, link);
	return (g->proxyd == proxyd && !g->dropped ? g : NULL);
}

int
grant_is_fresh(const struct grant *g)
{
	return (clock_ms() - g->asked_ms < FRESH_MS);
}

int
grant_holds(const struct peer *proxyd, const struct session *se)
{
	const struct grant	*g;

	TAILQ_FOREACH(g, &se->grants, of_session)
		if (g->proxyd == proxyd && g->asker.instance == 0)
			return (1);
	return (0);
}

int
grant_on_drop(struct chan *c, struct imsg *m)
{
	struct msg_grant_drop	 in;
	struct grant	*g;

	if (get_grant_drop(m, &in) == -1)
		return (-1);
	if ((g = grant_find(peer_of(c), in.grant)) == NULL)
		return (0);
	/* What still runs under it has to end with it. */
	g->dropped = 1;
	if (g->nstreams == 0)
		grant_free(g);
	return (0);
}

void
grant_stream(struct grant *g, int change)
{
	g->nstreams = (unsigned)((int)g->nstreams + change);
	if (g->nstreams == 0 && g->dropped)
		grant_free(g);
}

static void
grant_free(struct grant *g)
{
	stream_forget_grant(g);		/* before its list goes */
	if (g->asker.instance != 0)
		grant_refuse(asker_chan(&g->asker), g->asker.id, 400,
		    "support session is not active");
	if (g->row != NULL)
		rowlog_release(g->row);
	timer_del(&g->wait);
	timer_del(&g->expiry);
	index_del(&grants.table, &g->link);
	TAILQ_REMOVE(&g->proxyd->grants, g, of_peer);
	TAILQ_REMOVE(&g->session->grants, g, of_session);
	g->proxyd->ngrants--;
	freezero(g, sizeof(*g));
}

void
grant_end(struct grant *g, enum end_reason why)
{
	struct chan	*c = g->proxyd->chan;

	g->nstreams++;		/* the last stream must not free it now */
	stream_kill_grant(g, why);
	g->nstreams--;
	if (g->asker.instance == 0 && !g->dropped) {
		(void)say_grant_end(c, 0, -1, &(struct msg_grant_end){
		    .grant = g->id, .why = (uint8_t)why });
	}
	grant_free(g);
}

void
grant_end_session(struct session *se, enum end_reason why)
{
	struct grant	*g;

	while ((g = TAILQ_FIRST(&se->grants)) != NULL)
		grant_end(g, why);
}

void
grant_forget_peer(struct peer *pe)
{
	struct grant	*g;

	while ((g = TAILQ_FIRST(&pe->grants)) != NULL) {
		g->asker.instance = 0;
		grant_free(g);
	}
}

static void
grant_expired(void *arg)
{
	grant_end(arg, END_GRANT);
}

static int
grant_is_covered(const struct grant *g)
{
	const char	*message;
	int		 status;

	status = scope_check(&g->who, g->session->row.system_id, &message);
	return (status != 401 && status != 404);
}

/* Ending one may free another: start over, passing those already seen. */
void
grant_recheck(void)
{
	static uint64_t		 mark;
	const struct link	*l;
	struct grant		*g;

	mark++;
	l = index_walk(&grants.table, NULL);
	while (l != NULL) {
		g = OWNER(l, struct grant, link);
		if (g->checked == mark || grant_is_covered(g)) {
			g->checked = mark;
			l = index_walk(&grants.table, l);
		} else {
			grant_end(g, END_GRANT);
			l = index_walk(&grants.table, NULL);
		}
	}
	stream_recheck();
}
