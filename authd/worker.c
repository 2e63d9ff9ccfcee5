/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "access.h"
#include "admit.h"
#include "api.h"
#include "compat.h"
#include "credit.h"
#include "ctl.h"
#include "grant.h"
#include "log.h"
#include "login.h"
#include "proc.h"
#include "report.h"
#include "services.h"
#include "session.h"
#include "stream.h"
#include "term.h"
#include "worker.h"

#define HELD_MAX	32768	/* workers that wait for the start to be over */
#define SETTLE_MS	10000	/* for kept workers to tell what they have */
#define CLOSE_OVER	4000

/* Bytes of a string field, shortest and longest. */
#define SMIN		4
#define SMAX(size)	(4 + (size) - 1)

#define MUXD		ROLE_BIT(ROLE_MUXD)
#define TERMD		ROLE_BIT(ROLE_TERMD)
#define PROXYD		ROLE_BIT(ROLE_PROXYD)
#define CONTROL		ROLE_BIT(ROLE_CONTROL)
#define TUNNEL		(S(W_UP) | S(W_CLOSING))
#define HELLO		(S(W_BOUND) | TUNNEL)
#define RETURN		(S(W_AGAIN) | S(W_CLOSING))	/* told to go at once */

static int	on_stats(struct chan *, struct imsg *);

/*
 * The access list of authd: who may say what, in which state, how long, with
 * or without a descriptor. A muxd that has not logged in may do one thing.
 */
const struct dispatch	worker_table[] = {
/* type			from	states	    flags	min	max  handler */
{ IMSG_LOGIN,		MUXD,	S(W_NEW),   MF_REQUEST | MF_ONCE,
    8 + 5 * SMIN, 8 + SMAX(SYSKEY_SIZE) + SMAX(SECRET_SIZE) +
    SMAX(NODE_SIZE) + SMAX(HEX64_SIZE) + SMAX(ADDR_SIZE), login_on_login },
{ IMSG_UP,		MUXD,	S(W_BOUND) | S(W_CLOSING), MF_ONCE, 0, 0,
    login_on_up },
{ IMSG_SERVICES_BEGIN,	MUXD,	TUNNEL | S(W_AGAIN), 0, 8 + SMIN,
    8 + SMAX(UUID_SIZE), services_on_begin },
{ IMSG_SERVICE,		MUXD,	TUNNEL | S(W_AGAIN), 0, 8 * SMIN + 1,
    SMAX(SERVICE_SIZE) + SMAX(TARGET_SIZE) + SMAX(HOST_SIZE) + 1 +
    SMAX(LABEL_SIZE) + 2 * SMAX(PATH_SIZE) + 2 * SMAX(MODULE_SIZE),
    services_on_service },
{ IMSG_SERVICES_END,	MUXD,	TUNNEL | S(W_AGAIN), 0, 0, 0,
    services_on_end },
{ IMSG_REPORT_BEGIN,	MUXD,	TUNNEL,	    0,		5,	5,
    report_on_begin },
{ IMSG_REPORT_CHUNK,	MUXD,	TUNNEL,	    0,		5, 4 + CHUNK_MAX,
    report_on_chunk },
{ IMSG_REPORT_END,	MUXD,	TUNNEL,	    0,		0,	0,
    report_on_end },
{ IMSG_USERS_FETCH,	MUXD,	TUNNEL,	    MF_REQUEST,	0,	0,
    report_on_users_fetch },
{ IMSG_CREDIT_ASK,	MUXD,	HELLO,	    MF_REQUEST,	4,	4,
    credit_on_ask },
{ IMSG_CREDIT_BACK,	MUXD,	HELLO,	    0,		4,	4,
    credit_on_back },
{ IMSG_TUNNEL_STATS,	MUXD,	HELLO,	    0,		24,	24,
    on_stats },
{ IMSG_STREAM_END,	MUXD,	HELLO,	    0,		25,	25,
    stream_on_end },
{ IMSG_ALIVE,		MUXD,	HELLO | S(W_AGAIN), MF_ANSWER, 1, 1, NULL },
{ IMSG_ANNOUNCE,	MUXD | TERMD, RETURN, MF_ONCE,	5,	5,
    stream_on_announce },
{ IMSG_ANNOUNCE_STREAM,	MUXD | TERMD, RETURN, 0,
    28 + SMIN, 28 + SMAX(SERVICE_SIZE) + STREAM_TAG_MAX,
    stream_on_announce_stream },
{ IMSG_ANNOUNCE_END,	MUXD | TERMD, RETURN, MF_ONCE,	0,	0,
    stream_on_announce_end },
{ IMSG_TERM_END,	TERMD,	S(W_READY) | S(W_AGAIN), MF_ONCE, 1 + SMIN,
    1 + SMAX(MESSAGE_SIZE), stream_on_term_end },
{ IMSG_ADMIT,		PROXYD,	S(W_READY), MF_REQUEST, 1 + 4 * SMIN,
    1 + SMAX(ADDR_SIZE) + SMAX(UUID_SIZE) + SMAX(TICKET_SIZE) +
    SMAX(HOST_SIZE), admit_on_admit },
{ IMSG_GRANT,		PROXYD,	S(W_READY), MF_REQUEST, 3 * SMIN,
    SMAX(TOKEN_SIZE) + SMAX(SLUG_SIZE) + SMAX(ADDR_SIZE), grant_on_grant },
{ IMSG_GRANT_DROP,	PROXYD,	S(W_READY), 0,		8,	8,
    grant_on_drop },
{ IMSG_STREAM_OPEN,	PROXYD,	S(W_READY), MF_REQUEST, 8 + SMIN,
    8 + SMAX(SERVICE_SIZE), stream_on_open },
{ IMSG_IDLE_DROPPED,	PROXYD,	S(W_READY), MF_ANSWER,	4,	4,  NULL },
{ IMSG_API,		PROXYD,	S(W_READY), MF_REQUEST,
    14 + 6 * SMIN, 14 + SMAX(TOKEN_SIZE) + SMAX(ADDR_SIZE) +
    SMAX(UUID_SIZE) + SMAX(SERVICE_SIZE) + SMAX(WORD_SIZE) + SMAX(ID_SIZE),
    api_on_api },
{ IMSG_CTL,		CONTROL, S(W_READY), MF_REQUEST, 7,
    7 + CTL_ARGS_MAX * SMAX(CTL_WORD_SIZE), ctl_on_ctl },
};
const size_t	worker_rows = sizeof(worker_table) / sizeof(worker_table[0]);

struct workers	workers = TAILQ_HEAD_INITIALIZER(workers);

/* What SPAWNED says, kept until the start is over. */
struct spawned {
	STAILQ_ENTRY(spawned)	 entry;
	int			 fd;
	uint64_t		 nonce, instance, generation;
	uint8_t			 role, bound;
	char			 system[ID_SIZE], session[UUID_SIZE];
};

static int	worker_waits(const struct spawned *);

static struct {
	struct index		 table;
	STAILQ_HEAD(, spawned)	 held;
	unsigned		 nheld;
	int			 all, store;	/* both have come: ready */
	int			 settled;
	struct timer		 settle;
} wk = { .held = STAILQ_HEAD_INITIALIZER(wk.held) };

struct worker *
worker_find(uint64_t instance)
{
	struct link	*l = index_find(&wk.table, instance);

	return (l == NULL ? NULL : OWNER(l, struct worker, link));
}

struct worker *
worker_of(struct chan *c)
{
	return (chan_arg(c));
}

struct chan *
asker_chan(const struct asker *asker)
{
	struct worker	*we;

	if (asker->instance == 0 || (we = worker_find(asker->instance)) == NULL)
		return (NULL);
	return (we->chan);
}

struct asker
asker_of(struct chan *c, const struct imsg *m)
{
	struct asker	asker = { worker_of(c)->instance, m->id };

	return (asker);
}

enum worker_state
worker_state(const struct worker *we)
{
	return ((enum worker_state)chan_state(we->chan));
}

const char *
worker_state_name(enum worker_state state)
{
	static const char *const	names[] = { "new", "login", "bound",
	    "up", "again", "closing", "ready", "refused" };

	return (names[state]);
}

void
worker_set_state(struct worker *we, enum worker_state state)
{
	if (worker_state(we) != state)
		log_debug("%s %llu: %s, was %s", role_name(we->role),
		    (unsigned long long)we->instance,
		    worker_state_name(state),
		    worker_state_name(worker_state(we)));
	chan_set_state(we->chan, (int)state);
}

void
worker_close(struct worker *we, uint16_t code, const char *reason)
{
	chan_begin(we->chan, IMSG_CLOSE, 0, -1);
	chan_add_u16(we->chan, code);
	chan_add_str(we->chan, reason);
	chan_end(we->chan);
	if (we->role == ROLE_MUXD)
		worker_set_state(we, W_CLOSING);
}

/* An offender goes; the parent ends it, and its channel ends here. */
static void
worker_closed(struct chan *c, int offence, const char *reason)
{
	struct worker	*we = worker_of(c);
	struct chan	*p = proc_parent();

	if (offence) {
		log_warnx("%s %llu: %s", role_name(we->role),
		    (unsigned long long)we->instance, reason);
		chan_begin(p, IMSG_OFFENCE, 0, -1);
		chan_add_u64(p, we->instance);
		chan_add_str(p, reason);
		chan_end(p);
	}
	worker_free(we);
}

void
worker_free(struct worker *we)
{
	struct session	*se = we->session;

	index_del(&wk.table, &we->link);
	TAILQ_REMOVE(&workers, we, entry);
	grant_forget_worker(we);
	stream_tunnel_gone(we);
	if (se != NULL && se->newcomer == we)
		se->newcomer = NULL;
	else if (se != NULL && se->tunnel == we)
		session_detach(se, proc_conf()->grace);
	credit_release(we);
	services_free(we->building);
	report_free(we->report);
	if (we->admission != NULL)
		freezero(we->admission, sizeof(*we->admission));
	chan_free(we->chan);
	free(we);
}

/* A kept muxd finds its session, or hears that there is none any more. */
static void
worker_rebind(struct worker *we, const struct spawned *sp)
{
	struct session	*se = session_find(sp->session);
	struct worker	*old;

	we->generation = sp->generation;
	if (se == NULL || strcmp(se->row.system_id, sp->system) != 0) {
		worker_close(we, CLOSE_OVER, "session_closed");
		return;
	}
	if (se->tunnel != NULL && se->tunnel->generation >= sp->generation) {
		worker_close(we, 1001, "replaced");
		return;
	}
	if (se->tunnel != NULL) {
		old = se->tunnel;
		session_unbind(se);
		worker_close(old, 1001, "replaced");
	}
	if (se->row.generation < sp->generation)
		se->row.generation = sp->generation;
	session_attach(se, we);
	worker_set_state(we, W_AGAIN);
}

static void
worker_start(const struct spawned *sp)
{
	struct worker	*we;

	if (worker_find(sp->instance) != NULL ||
	    (we = calloc(1, sizeof(*we))) == NULL) {
		close(sp->fd);
		return;
	}
	we->chan = chan_new(proc_base(), sp->fd, sp->role, worker_table,
	    worker_rows, worker_closed, we);
	if (we->chan == NULL) {
		free(we);
		return;
	}
	we->role = sp->role;
	we->instance = sp->instance;
	we->nonce = sp->nonce;
	TAILQ_INIT(&we->streams);
	TAILQ_INIT(&we->waiting);
	TAILQ_INIT(&we->grants);
	chan_set_instance(we->chan, sp->instance);
	we->admission = sp->bound ? NULL : admit_take(sp->nonce);
	/* A termd that nobody alive has admitted was there before. */
	chan_set_state(we->chan, sp->role == ROLE_MUXD ? W_NEW :
	    sp->role == ROLE_TERMD && we->admission == NULL ? W_AGAIN :
	    W_READY);
	index_add(&wk.table, &we->link, we->instance);
	TAILQ_INSERT_TAIL(&workers, we, entry);
	if (sp->role == ROLE_MUXD && sp->bound)
		worker_rebind(we, sp);
	else if (sp->role == ROLE_TERMD && we->admission != NULL)
		term_started(we);
}

int
worker_spawned(struct chan *c, struct imsg *m)
{
	struct spawned	*sp;

	(void)c;
	if ((sp = calloc(1, sizeof(*sp))) == NULL)
		return (0);
	if (m_get_u64(m, &sp->nonce) == -1 ||
	    m_get_u64(m, &sp->instance) == -1 ||
	    m_get_u8(m, &sp->role) == -1 || m_get_u8(m, &sp->bound) == -1 ||
	    m_get_str(m, sp->system, sizeof(sp->system)) == -1 ||
	    m_get_str(m, sp->session, sizeof(sp->session)) == -1 ||
	    m_get_u64(m, &sp->generation) == -1 || m_end(m) == -1 ||
	    sp->instance == 0 || (sp->role != ROLE_MUXD &&
	    sp->role != ROLE_TERMD && sp->role != ROLE_PROXYD &&
	    sp->role != ROLE_CONTROL)) {
		free(sp);
		return (-1);
	}
	sp->fd = m_take_fd(m);
	if (worker_waits(sp) && wk.nheld < HELD_MAX) {
		STAILQ_INSERT_TAIL(&wk.held, sp, entry);
		wk.nheld++;
		return (0);
	}
	worker_start(sp);
	free(sp);
	return (0);
}

int
worker_is_ready(void)
{
	return (wk.all && wk.store);
}

static void
worker_settled(void *arg)
{
	(void)arg;
	access_settle();
}

/*
 * Before SPAWNED_ALL everybody waits. Without a store those who were there
 * before wait on, since nobody can say which sessions are still open; who is
 * new is let in and hears 503.
 */
static int
worker_waits(const struct spawned *sp)
{
	if (!wk.all)
		return (1);
	return (!wk.store && (sp->role == ROLE_TERMD ||
	    (sp->role == ROLE_MUXD && sp->bound)));
}

/* Start who need not wait: only tunnels and terminals, or all. */
static void
worker_release(int all)
{
	struct spawned	*sp, *next;

	for (sp = STAILQ_FIRST(&wk.held); sp != NULL; sp = next) {
		next = STAILQ_NEXT(sp, entry);
		if (worker_waits(sp) || (!all && (sp->role == ROLE_PROXYD ||
		    sp->role == ROLE_CONTROL)))
			continue;
		STAILQ_REMOVE(&wk.held, sp, spawned, entry);
		wk.nheld--;
		worker_start(sp);
		free(sp);
	}
}

/* Tunnels and terminals first, then what is due, then those who ask. */
static void
worker_ready(void)
{
	if (!wk.store) {
		worker_release(1);
		return;
	}
	if (!worker_is_ready() || wk.settled)
		return;
	wk.settled = 1;
	worker_release(0);
	session_settle();
	worker_release(1);
	log_info("%u sessions, %u tunnels", session_count(), session_tunnels());
	timer_init(&wk.settle, worker_settled, NULL);
	timer_set(&wk.settle, SETTLE_MS);
}

int
worker_spawned_all(struct chan *c, struct imsg *m)
{
	(void)c;
	if (m_end(m) == -1)
		return (-1);
	wk.all = 1;
	worker_ready();
	return (0);
}

void
worker_store_ready(void)
{
	wk.store = 1;
	worker_ready();
}

static int
on_stats(struct chan *c, struct imsg *m)
{
	struct worker	*we = worker_of(c);

	if (m_get_u64(m, &we->bytes_in) == -1 ||
	    m_get_u64(m, &we->bytes_out) == -1 ||
	    m_get_u32(m, &we->rtt_us) == -1 ||
	    m_get_u32(m, &we->client_streams) == -1 || m_end(m) == -1)
		return (-1);
	return (0);
}
