/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "authd/core/rowlog.h"
#include "authd/core/admit.h"
#include "authd/api/api.h"
#include "base/compat.h"
#include "authd/core/credit.h"
#include "authd/ctl/ctl.h"
#include "authd/core/grant.h"
#include "base/log.h"
#include "login.h"
#include "proc/proc.h"
#include "authd/core/report.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/core/stream.h"
#include "authd/core/terminal.h"
#include "peer.h"

#define HELD_MAX	32768	/* workers that wait for the start to be over */
#define SETTLE_MS	10000	/* for kept workers to tell what they have */
#define CLOSE_OVER	4000

#define MUXD		ROLE_BIT(ROLE_MUXD)
#define TERMD		ROLE_BIT(ROLE_TERMD)
#define PROXYD		ROLE_BIT(ROLE_PROXYD)
#define CONTROL		ROLE_BIT(ROLE_CONTROL)
#define TUNNEL		(S(P_UP) | S(P_CLOSING))
#define HELLO		(S(P_BOUND) | TUNNEL)
#define RETURN		(S(P_AGAIN) | S(P_CLOSING))	/* told to go at once */

static int	on_stats(struct chan *, struct imsg *);

/*
 * The access list of authd: who may say what, in which state, how long, with
 * or without a descriptor. A muxd that has not logged in may do one thing.
 */
const struct dispatch	peer_table[] = {
/* type			from	states	    flags	min	max  handler */
{ IMSG_LOGIN, MUXD, S(P_NEW), MF_REQUEST | MF_ONCE, login_on_login },
{ IMSG_UP, MUXD, S(P_BOUND) | S(P_CLOSING), MF_ONCE, login_on_up },
{ IMSG_SERVICES_BEGIN, MUXD, TUNNEL | S(P_AGAIN), 0, services_on_begin },
{ IMSG_SERVICE, MUXD, TUNNEL | S(P_AGAIN), 0, services_on_service },
{ IMSG_SERVICES_END, MUXD, TUNNEL | S(P_AGAIN), 0, services_on_end },
{ IMSG_REPORT_BEGIN, MUXD, TUNNEL, 0, report_on_begin },
{ IMSG_DOC_CHUNK, MUXD, TUNNEL, 0, report_on_chunk },
{ IMSG_REPORT_END, MUXD, TUNNEL, 0, report_on_end },
{ IMSG_USERS_FETCH, MUXD, TUNNEL, MF_REQUEST, report_on_users_fetch },
{ IMSG_CREDIT_ASK, MUXD, HELLO, MF_REQUEST, credit_on_ask },
{ IMSG_CREDIT_BACK, MUXD, HELLO, 0, credit_on_back },
{ IMSG_TUNNEL_STATS, MUXD, HELLO, 0, on_stats },
{ IMSG_STREAM_END, MUXD, HELLO, 0, stream_on_end },
{ IMSG_ALIVE, MUXD, HELLO | S(P_AGAIN), MF_ANSWER, NULL },
{ IMSG_ANNOUNCE, MUXD | TERMD, RETURN, MF_ONCE, stream_on_announce },
{ IMSG_ANNOUNCE_STREAM, MUXD | TERMD, RETURN, 0, stream_on_announce_stream },
{ IMSG_ANNOUNCE_END, MUXD | TERMD, RETURN, MF_ONCE, stream_on_announce_end },
{ IMSG_TERM_END, TERMD, S(P_READY) | S(P_AGAIN), MF_ONCE, stream_on_term_end },
{ IMSG_ADMIT, PROXYD, S(P_READY), MF_REQUEST, admit_on_admit },
{ IMSG_GRANT, PROXYD, S(P_READY), MF_REQUEST, grant_on_grant },
{ IMSG_GRANT_DROP, PROXYD, S(P_READY), 0, grant_on_drop },
{ IMSG_STREAM_OPEN, PROXYD, S(P_READY), MF_REQUEST, stream_on_open },
{ IMSG_IDLE_DROPPED, PROXYD, S(P_READY), MF_ANSWER, NULL },
{ IMSG_API, PROXYD, S(P_READY), MF_REQUEST, api_on_api },
{ IMSG_CTL, CONTROL, S(P_READY), MF_REQUEST, ctl_on_ctl },
};
const size_t	peer_rows = sizeof(peer_table) / sizeof(peer_table[0]);

struct peers	peers = TAILQ_HEAD_INITIALIZER(peers);

/* What SPAWNED says, kept until the start is over. */
struct spawned {
	STAILQ_ENTRY(spawned)	 entry;
	int			 fd;
	uint64_t		 nonce, instance, generation;
	uint8_t			 role, bound;
	char			 system[ID_SIZE], session[UUID_SIZE];
};

static int	peer_waits(const struct spawned *);

static struct {
	struct index		 table;
	STAILQ_HEAD(, spawned)	 held;
	unsigned		 nheld;
	int			 all, store;	/* both have come: ready */
	int			 settled;
	struct timer		 settle;
} start = { .held = STAILQ_HEAD_INITIALIZER(start.held) };

struct peer *
peer_find(uint64_t instance)
{
	struct link	*l = index_find(&start.table, instance);

	return (l == NULL ? NULL : OWNER(l, struct peer, link));
}

struct peer *
peer_of(struct chan *c)
{
	return (chan_arg(c));
}

struct chan *
asker_chan(const struct asker *asker)
{
	struct peer	*pe;

	if (asker->instance == 0 || (pe = peer_find(asker->instance)) == NULL)
		return (NULL);
	return (pe->chan);
}

struct asker
asker_of(struct chan *c, const struct imsg *m)
{
	struct asker	asker = { peer_of(c)->instance, m->id };

	return (asker);
}

enum peer_state
peer_state(const struct peer *pe)
{
	return ((enum peer_state)chan_state(pe->chan));
}

const char *
peer_state_name(enum peer_state state)
{
	static const char *const	names[] = { "new", "login", "bound",
	    "up", "again", "closing", "ready", "refused" };

	return (names[state]);
}

void
peer_set_state(struct peer *pe, enum peer_state state)
{
	if (peer_state(pe) != state)
		log_debug("%s %llu: %s, was %s", role_name(pe->role),
		    (unsigned long long)pe->instance,
		    peer_state_name(state),
		    peer_state_name(peer_state(pe)));
	chan_set_state(pe->chan, (int)state);
}

void
peer_close(struct peer *pe, uint16_t code, const char *reason)
{
	(void)say_close(pe->chan, 0, -1, &(struct msg_close){
	    .code = code, .reason = reason });
	if (pe->role == ROLE_MUXD)
		peer_set_state(pe, P_CLOSING);
}

/* An offender goes; the parent ends it, and its channel ends here. */
static void
peer_closed(struct chan *c, int offence, const char *reason)
{
	struct peer	*pe = peer_of(c);
	struct chan	*p = proc_parent();

	if (offence) {
		log_warnx("%s %llu: %s", role_name(pe->role),
		    (unsigned long long)pe->instance, reason);
		(void)say_offence(p, 0, -1, &(struct msg_offence){
		    .instance = pe->instance, .reason = reason });
	}
	peer_free(pe);
}

void
peer_free(struct peer *pe)
{
	struct session	*se = pe->session;

	index_del(&start.table, &pe->link);
	TAILQ_REMOVE(&peers, pe, entry);
	grant_forget_peer(pe);
	stream_tunnel_gone(pe);
	if (se != NULL && se->newcomer == pe)
		se->newcomer = NULL;
	else if (se != NULL && se->tunnel == pe)
		session_detach(se, proc_conf()->grace);
	credit_release(pe);
	services_free(pe->building);
	report_free(pe->report);
	if (pe->admission != NULL)
		freezero(pe->admission, sizeof(*pe->admission));
	chan_free(pe->chan);
	free(pe);
}

/* A kept muxd finds its session, or hears that there is none any more. */
static void
peer_rebind(struct peer *pe, const struct spawned *sp)
{
	struct session	*se = session_find(sp->session);
	struct peer	*old;

	pe->generation = sp->generation;
	if (se == NULL || strcmp(se->row.system_id, sp->system) != 0) {
		peer_close(pe, CLOSE_OVER, "session_closed");
		return;
	}
	if (se->tunnel != NULL && se->tunnel->generation >= sp->generation) {
		peer_close(pe, 1001, "replaced");
		return;
	}
	if (se->tunnel != NULL) {
		old = se->tunnel;
		session_unbind(se);
		peer_close(old, 1001, "replaced");
	}
	if (se->row.generation < sp->generation)
		se->row.generation = sp->generation;
	session_attach(se, pe);
	peer_set_state(pe, P_AGAIN);
}

static void
peer_start(const struct spawned *sp)
{
	struct peer	*pe;

	if (peer_find(sp->instance) != NULL ||
	    (pe = calloc(1, sizeof(*pe))) == NULL) {
		close(sp->fd);
		return;
	}
	pe->chan = chan_new(proc_base(), sp->fd, sp->role, peer_table,
	    peer_rows, peer_closed, pe);
	if (pe->chan == NULL) {
		free(pe);
		return;
	}
	pe->role = sp->role;
	pe->instance = sp->instance;
	pe->nonce = sp->nonce;
	TAILQ_INIT(&pe->streams);
	TAILQ_INIT(&pe->waiting);
	TAILQ_INIT(&pe->grants);
	chan_set_instance(pe->chan, sp->instance);
	pe->admission = sp->bound ? NULL : admit_take(sp->nonce);
	/* A termd that nobody alive has admitted was there before. */
	chan_set_state(pe->chan, sp->role == ROLE_MUXD ? P_NEW :
	    sp->role == ROLE_TERMD && pe->admission == NULL ? P_AGAIN :
	    P_READY);
	index_add(&start.table, &pe->link, pe->instance);
	TAILQ_INSERT_TAIL(&peers, pe, entry);
	if (sp->role == ROLE_MUXD && sp->bound)
		peer_rebind(pe, sp);
	else if (sp->role == ROLE_TERMD && pe->admission != NULL)
		term_started(pe);
}

int
peer_spawned(struct chan *c, struct imsg *m)
{
	struct msg_spawned	 in;
	struct spawned	*sp;

	(void)c;
	if ((sp = calloc(1, sizeof(*sp))) == NULL)
		return (0);
	if (get_spawned(m, &in) == -1 || in.instance == 0 ||
	    !(role_info(in.role)->flags & RF_LINKED)) {
		free(sp);
		return (-1);
	}
	sp->nonce = in.nonce;
	sp->instance = in.instance;
	sp->role = in.role;
	sp->bound = in.bound;
	strlcpy(sp->system, in.system, sizeof(sp->system));
	strlcpy(sp->session, in.session, sizeof(sp->session));
	sp->generation = in.generation;
	sp->fd = m_take_fd(m);
	if (peer_waits(sp) && start.nheld < HELD_MAX) {
		STAILQ_INSERT_TAIL(&start.held, sp, entry);
		start.nheld++;
		return (0);
	}
	peer_start(sp);
	free(sp);
	return (0);
}

int
peer_is_ready(void)
{
	return (start.all && start.store);
}

static void
peer_settled(void *arg)
{
	(void)arg;
	rowlog_settle();
}

/*
 * Before SPAWNED_ALL everybody waits. Without a store those who were there
 * before wait on, since nobody can say which sessions are still open; who is
 * new is let in and hears 503.
 */
static int
peer_waits(const struct spawned *sp)
{
	if (!start.all)
		return (1);
	return (!start.store && (sp->role == ROLE_TERMD ||
	    (sp->role == ROLE_MUXD && sp->bound)));
}

/* Start who need not wait: only tunnels and terminals, or all. */
static void
peer_release(int all)
{
	struct spawned	*sp, *next;

	for (sp = STAILQ_FIRST(&start.held); sp != NULL; sp = next) {
		next = STAILQ_NEXT(sp, entry);
		if (peer_waits(sp) || (!all && (sp->role == ROLE_PROXYD ||
		    sp->role == ROLE_CONTROL)))
			continue;
		STAILQ_REMOVE(&start.held, sp, spawned, entry);
		start.nheld--;
		peer_start(sp);
		free(sp);
	}
}

/* Tunnels and terminals first, then what is due, then those who ask. */
static void
peer_ready(void)
{
	if (!start.store) {
		peer_release(1);
		return;
	}
	if (!peer_is_ready() || start.settled)
		return;
	start.settled = 1;
	peer_release(0);
	session_settle();
	peer_release(1);
	log_info("%u sessions, %u tunnels", session_count(), session_tunnels());
	timer_init(&start.settle, peer_settled, NULL);
	timer_set(&start.settle, SETTLE_MS);
}

int
peer_spawned_all(struct chan *c, struct imsg *m)
{
	(void)c;
	if (get_spawned_all(m) == -1)
		return (-1);
	start.all = 1;
	peer_ready();
	return (0);
}

void
peer_store_ready(void)
{
	start.store = 1;
	peer_ready();
}

static int
on_stats(struct chan *c, struct imsg *m)
{
	struct msg_tunnel_stats	 in;
	struct peer	*pe = peer_of(c);

	if (get_tunnel_stats(m, &in) == -1)
		return (-1);
	pe->bytes_in = in.bytes_in;
	pe->bytes_out = in.bytes_out;
	pe->rtt_us = in.rtt_us;
	pe->client_streams = in.streams;
	return (0);
}
