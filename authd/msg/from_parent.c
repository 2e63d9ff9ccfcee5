/* SPDX-License-Identifier: ISC */
/*
 * How the other processes come and go: SPAWNED makes a peer, the end of its
 * channel is the end of it. At the start all wait until everybody has been
 * named and the store is open.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admit.h"
#include "authd/core/rowlog.h"
#include "authd/core/services.h"
#include "authd/core/session.h"
#include "authd/facts.h"
#include "authd/now.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "credit.h"
#include "dialer.h"
#include "forward.h"
#include "follow.h"
#include "handlers.h"
#include "imsg/proto.h"
#include "named.h"
#include "pairing.h"
#include "peer.h"
#include "proc/proc.h"
#include "relay.h"
#include "report.h"

#define HELD_MAX	32768	/* workers that wait for the start to be over */
#define SETTLE_MS	10000	/* for kept workers to tell what they have */
#define CLOSE_OVER	4000
#define LEFT_MAX	256	/* tunnels' processes that ended last */

/* What SPAWNED says, kept until the start is over. */
struct spawned {
	STAILQ_ENTRY(spawned)	 entry;
	int			 fd;
	uint64_t		 nonce, instance, generation;
	uint8_t			 role, bound;
	char			 system[ID_SIZE], session[UUID_SIZE];
	char			 addr[ADDR_SIZE];
	uint64_t		 since;
	uint32_t		 protocol;
};

static void	peer_free(struct peer *);
static int	peer_waits(const struct spawned *);

static struct {
	STAILQ_HEAD(, spawned)	 held;
	unsigned		 nheld;
	int			 all, store;	/* both have come: ready */
	int			 loading;	/* the store is open */
	void			(*began)(void *);	/* at SPAWNED_ALL, once */
	int			 settled;
	struct timer		 settle;
} start = { .held = STAILQ_HEAD_INITIALIZER(start.held) };

/* Who came for a tunnel whose process has ended. */
struct left {
	uint64_t	instance, proxyd;
	char		addr[ADDR_SIZE];
};

static struct {
	struct left	last[LEFT_MAX];
	unsigned	n;
} left;

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

/* The parent ends it; we have nothing more to do with it. */
static void
peer_late(void *arg)
{
	struct peer			*pe = arg;
	static const char *const	why[] = {
		[P_NEW] = "does not log in", [P_LOGIN] = "does not log in",
		[P_BOUND] = "does not come up",
		[P_UP] = "does not end its streams",
		[P_AGAIN] = "does not tell what it has",
		[P_CLOSING] = "does not go", [P_READY] = "does not go",
		[P_REFUSED] = "does not go",
	};

	peer_closed(pe->chan, 1, why[peer_state(pe)]);
}

static void
tunnel_part_free(struct peer *pe)
{
	tunnel_gone(pe->tunnel, now_at());
	credit_release(pe);
	services_free(pe->mux.building);
	report_free(pe->mux.report);
}

static void
door_part_free(struct peer *pe)
{
	door_gone(&pe->door);
	admit_gone(pe->instance);
	named_gone(pe->instance);
}

/* Whose was it? The parent may tell a moment later why it ended. */
static void
tunnel_left(const struct peer *pe)
{
	struct left	*l = &left.last[left.n++ % LEFT_MAX];

	l->instance = pe->instance;
	l->proxyd = pe->admission->proxyd;
	strlcpy(l->addr, pe->admission->addr, sizeof(l->addr));
	if (peer_state(pe) == P_NEW)
		named_offence(l->proxyd, l->addr, PENALTY_NOAUTH);
}

int
parent_on_crashed(struct chan *c, struct imsg *m)
{
	struct msg_crashed	 in;
	const struct peer	*pe;
	struct left		*l;

	(void)c;
	if (get_crashed(m, &in) == -1 || in.instance == 0)
		return (-1);
	pe = peer_find(in.instance);
	if (pe != NULL && peer_has(pe, RF_LOGIN) && pe->admission != NULL)
		named_offence(pe->admission->proxyd, pe->admission->addr,
		    PENALTY_CRASH);
	for (l = left.last; pe == NULL && l < left.last + LEFT_MAX; l++)
		if (l->instance == in.instance)
			named_offence(l->proxyd, l->addr, PENALTY_CRASH);
	return (0);
}

/* The one way out. The channel goes with it. */
static void
peer_free(struct peer *pe)
{
	peer_remove(pe);
	follow_gone_all(pe->instance);
	timer_del(&pe->late);
	if (pe->tunnel != NULL)
		tunnel_part_free(pe);
	if (peer_has(pe, RF_DOORS))
		door_part_free(pe);
	if (peer_has(pe, RF_DIALS)) {
		dialer_gone(pe);
		forward_gone(pe);
	}
	relay_gone(pe);
	pairing_gone(pe);
	facts_cancel(pe->asking);
	if (peer_has(pe, RF_LOGIN) && pe->admission != NULL)
		tunnel_left(pe);
	admit_free(pe->admission);
	chan_free(pe->chan);
	free(pe);
}

/* A kept muxd finds its session, or hears that there is none any more. */
static void
peer_rebind(struct peer *pe, const struct spawned *sp)
{
	struct session	*se = session_find(sp->session);
	struct tunnel	*t = pe->tunnel;

	t->generation = sp->generation;
	strlcpy(pe->mux.addr, sp->addr, sizeof(pe->mux.addr));
	pe->mux.since = (int64_t)sp->since;
	if (se == NULL || strcmp(se->row.system_id, sp->system) != 0) {
		peer_close(pe, CLOSE_OVER, "session_closed");
		return;
	}
	if (se->tunnel != NULL && se->tunnel->generation >= sp->generation) {
		peer_close(pe, 1001, "replaced");
		return;
	}
	if (se->tunnel != NULL)
		tunnel_retire(se->tunnel, 1001, "replaced");
	if (se->row.generation < sp->generation)
		se->row.generation = sp->generation;
	session_attach(se, t);
	peer_set_state(pe, P_AGAIN);
}

/* What a peer of its role has. -1: out of memory. */
static int
peer_part(struct peer *pe)
{
	if (peer_has(pe, RF_LOGIN))
		return ((pe->tunnel = tunnel_new(pe->instance)) == NULL ?
		    -1 : 0);
	if (!peer_has(pe, RF_DOORS))
		return (0);
	if (named_came(pe->instance) == -1)
		return (-1);
	door_init(&pe->door, pe->instance);
	return (0);
}

/*
 * There is no memory for its channel. A newcomer is refused by that; anybody
 * else would wait for good for another, which a new authd gets.
 */
static void
peer_cannot(int role, int bound)
{
	if (bound || !(role_info(role)->flags & RF_BOUND))
		fatal("channel of %s", role_info(role)->name);
}

static struct peer *
peer_new(const struct spawned *sp)
{
	struct peer	*pe;

	if (peer_find(sp->instance) != NULL ||
	    (pe = calloc(1, sizeof(*pe))) == NULL) {
		close(sp->fd);
		if (peer_find(sp->instance) == NULL)
			peer_cannot(sp->role, sp->bound);
		return (NULL);
	}
	pe->role = sp->role;
	pe->instance = sp->instance;
	pe->nonce = sp->nonce;
	timer_init(&pe->late, peer_late, pe);
	pe->chan = chan_new(proc_base(), sp->fd, sp->role, peer_table,
	    peer_rows, peer_closed, pe);
	if (pe->chan == NULL || peer_part(pe) == -1) {
		chan_free(pe->chan);
		free(pe);
		peer_cannot(sp->role, sp->bound);
		return (NULL);
	}
	chan_speak(pe->chan, sp->protocol);
	chan_hear(pe->chan, sp->protocol);
	chan_set_instance(pe->chan, sp->instance);
	peer_add(pe);
	return (pe);
}

static void
peer_start(const struct spawned *sp)
{
	struct peer	*pe = peer_new(sp);

	if (pe == NULL)
		return;
	pe->admission = sp->bound ? NULL : admit_take(sp->nonce);
	/* A terminal that nobody alive has admitted was there before. */
	peer_set_state(pe, peer_has(pe, RF_LOGIN) ? P_NEW :
	    peer_has(pe, RF_STREAM) && pe->admission == NULL ? P_AGAIN :
	    P_READY);
	if (peer_has(pe, RF_LOGIN) && sp->bound)
		peer_rebind(pe, sp);
	else if (peer_has(pe, RF_RELAY))
		relay_started(pe, sp->session, sp->bound);
	else if (peer_has(pe, RF_STREAM) && pe->admission != NULL)
		termd_started(pe);
	else if (peer_has(pe, RF_DIALS)) {
		dialer_came(pe);
		forward_came(pe);
	}
	pairing_tell(pe);
}

int
parent_on_spawned(struct chan *c, struct imsg *m)
{
	struct msg_spawned	 in;
	struct spawned	*sp;

	(void)c;
	if (get_spawned(m, &in) == -1 || in.instance == 0 ||
	    !(role_info(in.role)->flags & RF_LINKED) ||
	    !proto_is_known(in.protocol))
		return (-1);
	if ((sp = calloc(1, sizeof(*sp))) == NULL) {
		peer_cannot(in.role, in.bound);
		return (0);
	}
	sp->nonce = in.nonce;
	sp->instance = in.instance;
	sp->role = in.role;
	sp->bound = in.bound;
	strlcpy(sp->system, in.system, sizeof(sp->system));
	strlcpy(sp->session, in.session, sizeof(sp->session));
	sp->generation = in.generation;
	strlcpy(sp->addr, in.addr, sizeof(sp->addr));
	sp->since = in.since;
	sp->protocol = in.protocol;
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

static void
peer_settled(void *arg)
{
	(void)arg;
	rowlog_settle(now_at());
}

/*
 * Before SPAWNED_ALL, and while the store is read, everybody waits. Without a
 * store those who were there before wait on, since nobody can say which
 * sessions are still open; who is new is let in and hears 503.
 */
static int
peer_waits(const struct spawned *sp)
{
	unsigned	flags = role_info(sp->role)->flags;

	if (!start.all || start.loading)
		return (1);
	return (!start.store && ((flags & RF_STREAM) ||
	    ((flags & (RF_LOGIN | RF_RELAY)) && sp->bound)));
}

/* Start who need not wait: all, or only those who are for one thing. */
static void
peer_release(int all)
{
	struct spawned	*sp, *next;

	for (sp = STAILQ_FIRST(&start.held); sp != NULL; sp = next) {
		next = STAILQ_NEXT(sp, entry);
		if (peer_waits(sp) ||
		    (!all && (R_STANDING & ROLE_BIT(sp->role))))
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
	if (!start.all || start.settled)
		return;
	start.settled = 1;
	peer_set_ready();
	peer_release(0);
	session_settle(now_at());
	peer_release(1);
	log_info("%u session%s, %u tunnel%s", session_count(),
	    PLURAL(session_count()), session_tunnels(),
	    PLURAL(session_tunnels()));
	timer_init(&start.settle, peer_settled, NULL);
	timer_set(&start.settle, SETTLE_MS);
}

int
parent_on_spawned_all(struct chan *c, struct imsg *m)
{
	void	(*began)(void *);

	(void)c;
	if (get_spawned_all(m) == -1)
		return (-1);
	start.all = 1;
	if ((began = start.began) != NULL) {
		start.loading = 1;	/* until it says that it is not */
		start.began = NULL;
		began(NULL);
	}
	peer_ready();
	return (0);
}

void
parent_began(void (*fn)(void *))
{
	start.began = fn;
}

unsigned
peer_doors(void)
{
	const struct peer	*pe;
	unsigned		 n = 0;

	TAILQ_FOREACH(pe, &peers, entry)
		n += peer_has(pe, RF_DOORS) != 0;
	return (n);
}

void
parent_store_loading(int loading)
{
	start.loading = loading;
	if (start.all && !loading)
		peer_ready();
}

void
parent_store_ready(void)
{
	start.loading = 0;
	start.store = 1;
	peer_ready();
}
