/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <unistd.h>

#include "authd/core/effect.h"
#include "authd/core/end.h"
#include "authd/core/services.h"
#include "authd/core/terminal.h"
#include "authd/core/ticket.h"
#include "base/compat.h"
#include "regress/lib/authd_world.h"
#include "regress/lib/tap.h"

#define STEPS		1000000
#define LIFE		5000	/* steps between two starts of authd */
#define CALM		500	/* and between two looks who still waits */
#define SLOTS		10	/* systems times nodes */

/* --- steps --- */

static void
step_muxd(void)
{
	struct muxd	*m = &w.muxd[below(MUXDS)];

	if (m->instance != 0)
		return;
	memset(m, 0, sizeof(*m));
	if ((m->t = tunnel_new(++w.next)) != NULL)
		m->instance = m->t->instance;
}

static void
muxd_dies(struct muxd *m)
{
	unsigned	i;

	for (i = 0; i < w.nknown; i++)
		if (w.known[i].muxd == m->instance)
			memset(&w.known[i], 0, sizeof(w.known[i]));
	tunnel_gone(m->t, &w.now);
	m->instance = 0;
}

static void
step_muxd_dies(void)
{
	struct muxd	*m = &w.muxd[below(MUXDS)];

	if (m->instance != 0 && (m->told || below(4) == 0))
		muxd_dies(m);
}

/* Who did not end a stream that it was told to end is ended. */
static void
late_die(void)
{
	unsigned	i;

	for (i = 0; i < MUXDS; i++)
		if (w.muxd[i].instance != 0 && w.muxd[i].late)
			muxd_dies(&w.muxd[i]);
}

/* As login.c does it: into the open session of the slot, or a new one. */
static void
step_login(void)
{
	struct muxd	*m = &w.muxd[below(MUXDS)];
	struct session	*se;
	struct later	*l;
	char		 node[NODE_SIZE];
	int		 created;

	if (m->instance == 0 || m->t->state != TUNNEL_NEW)
		return;
	snprintf(node, sizeof(node), "%u", below(SLOTS));
	se = session_by_slot(w.system.id, node);
	if (se != NULL && !session_is_open(se, &w.now)) {
		session_end(se, SESSION_EXPIRED, "timeout", 4000, &w.now);
		se = NULL;
	}
	if (se != NULL && se->tunnel != NULL &&
	    (se->tunnel->state == TUNNEL_LOGIN || below(3) != 0))
		return;
	if (se != NULL && se->tunnel != NULL)
		tunnel_retire(se->tunnel, 4000, "replaced");
	created = se == NULL;
	if (se == NULL &&
	    (se = session_new(&w.system, node, w.hash, &w.now)) == NULL)
		return;
	m->t->generation = ++se->row.generation;
	m->t->state = TUNNEL_LOGIN;
	session_attach(se, m->t);
	session_touch(se, &w.now);
	later(LATER_LOGIN, m->instance);
	l = &w.waiting.v[w.waiting.n - 1];
	l->created = created;
	strlcpy(l->session, se->row.id, sizeof(l->session));
}

static void
manifest(struct session *se)
{
	struct msg_service	 in = { .name = "web", .target =
	    "10.0.0.1:80", .host = "", .label = "", .path = "",
	    .path_prefix = "", .module_id = "", .node_id = "" };
	struct services		*t = services_new(1, 2, w.system.id, "");

	if (t == NULL)
		return;
	(void)services_add(t, &in);
	in.name = "api";
	if (below(8) != 0)
		(void)services_add(t, &in);
	services_free(se->services);
	se->services = t;
}

static void
step_up(void)
{
	struct muxd	*m = &w.muxd[below(MUXDS)];

	if (m->instance == 0 || m->t->state != TUNNEL_BOUND)
		return;
	m->t->state = TUNNEL_UP;
	if (m->t->session == NULL)
		return;
	session_up(m->t->session, &w.now);
	manifest(m->t->session);
}

static void
step_door(void)
{
	struct door	*d = &w.door[below(DOORS)];
	uint64_t	 gone = d->instance;

	if (gone == 0) {
		door_init(d, ++w.next);
	} else if (below(20) == 0) {
		d->instance = 0;
		asker_dies(gone);
		door_gone(d);
	}
}

static struct session *
some_session(void)
{
	struct session	*se = TAILQ_FIRST(&sessions);
	unsigned	 n = below(session_count() + 1);

	while (se != NULL && n-- > 0)
		se = TAILQ_NEXT(se, entry);
	return (se);
}

static void
operator_of(struct operator *who)
{
	memset(who, 0, sizeof(*who));
	snprintf(who->id, sizeof(who->id), "op%u", below(4));
	strlcpy(who->org_role, "owner", sizeof(who->org_role));
	who->expires = w.now.wall_ms / 1000 + below(600);
}

static void
step_grant(void)
{
	struct door	*d = &w.door[below(DOORS)];
	struct session	*se = some_session();
	struct operator	 who;
	struct grant_ask g = { .who = &who, .addr = "192.0.2.1" };

	if (d->instance == 0 || se == NULL ||
	    se->row.status != SESSION_ACTIVE ||
	    !session_is_open(se, &w.now))
		return;
	operator_of(&who);
	/* All are of one system: one may be for another's token. */
	if (below(3) == 0 && (g.lender = some_session()) != NULL &&
	    (g.lender == se || !session_is_open(g.lender, &w.now)))
		g.lender = NULL;
	g.door = d;
	g.session = se;
	g.service = below(2) ? "web" : "api";
	g.reference = below(4) ? "" : "r";
	g.asker = ask(d->instance);
	if (grant_new(&g, &w.now) != REFUSE_NOT)
		answered(g.asker);
}

static struct grant *
some_grant(const struct door *d)
{
	struct grant	*g = TAILQ_FIRST(&d->grants);
	unsigned	 n = below(d->ngrants + 1);

	while (g != NULL && n-- > 0)
		g = TAILQ_NEXT(g, of_door);
	return (g == NULL ? NULL : grant_find(d, g->id));
}

static void
step_grant_drop(void)
{
	struct door	*d = &w.door[below(DOORS)];
	struct grant	*g;

	if (d->instance != 0 && (g = some_grant(d)) != NULL &&
	    g->asker.instance == 0)
		grant_drop(g);
}

static void
step_web(void)
{
	struct door	*d = &w.door[below(DOORS)];
	struct grant	*g;
	struct asker	 a;

	if (d->instance == 0 || (g = some_grant(d)) == NULL ||
	    g->asker.instance != 0)
		return;
	a = ask(d->instance);
	if (web_open(g, below(2) ? "web" : "api", &a, &w.now) != REFUSE_NOT)
		answered(a);
}

static void
step_terminal(void)
{
	struct session	*se = some_session();
	struct operator	 who;
	struct asker	 a;
	uint64_t	 id;
	unsigned	 i = below(TERMDS);

	if (w.termd[i] != 0 || se == NULL || !session_is_open(se, &w.now) ||
	    session_tunnel(se) == NULL)
		return;
	operator_of(&who);
	w.termd[i] = ++w.next;
	a.instance = w.termd[i];
	a.id = 0;
	for (i = 0; w.asker[i].instance != 0; i++)
		;
	w.asker[i] = a;
	if (terminal_open(&a, se, below(2) == 0 ? "web" :
	    SERVICE_TERMINAL, &who, "192.0.2.2", &id, &w.now) != REFUSE_NOT)
		answered(a);
}

static void
step_termd_dies(void)
{
	unsigned	i = below(TERMDS);

	if (w.termd[i] == 0)
		return;
	asker_dies(w.termd[i]);
	w.termd[i] = 0;
}

/* muxd's last word, also on what was killed. */
static void
step_stream_end(void)
{
	struct known	*k = &w.known[below(w.nknown + 1)];
	struct muxd	*m = muxd_of(k->muxd);

	if (k->id == 0 || m == NULL || m->t->state == TUNNEL_AGAIN)
		return;
	if (stream_ended(m->t, k->id, below(2) ? END_CLEAN : END_RESET,
	    k->in + below(1000), k->out + below(1000), &w.now) == -1 &&
	    !k->killed && k->announced)
		wrong("the core does not know what muxd has");
	memset(k, 0, sizeof(*k));
}

/* All sessions are of one system: they have its share of the store. */
static void
step_report(void)
{
	struct session	*se = some_session();
	uint64_t	 len = below(200), had;

	if (se == NULL)
		return;
	had = se->diagnostics.n;
	if (session_diagnostics(se, len) == 0 ? se->diagnostics.n != len :
	    se->diagnostics.n != had || len <= had)
		wrong("diagnostics are counted wrong");
}

static void
step_session_end(void)
{
	struct session	*se = some_session();

	if (se != NULL && below(4) == 0)
		session_end(se, SESSION_CLOSED, "operator", 4000, &w.now);
}

/* Scopes changed. */
static void
step_recheck(void)
{
	struct grant	*g = grant_rotate();
	struct stream	*st = stream_rotate();

	if (g != NULL && below(4) == 0)
		grant_end(g, END_GRANT);
	if (st != NULL && st->state == STREAM_OPENED && below(4) == 0)
		stream_kill(st, END_GRANT);
}

static void
step_ticket(void)
{
	struct session	*se = some_session();
	struct operator	 who;
	char		 hash[HEX64_SIZE], session[UUID_SIZE];
	char		 service[SERVICE_SIZE];
	uint64_t	 stream;

	snprintf(hash, sizeof(hash), "%064x", below(20));
	operator_of(&who);
	if (below(2) == 0 && se != NULL && se->row.status == SESSION_ACTIVE)
		(void)ticket_new(hash, &who, se->row.id, "web", 0, &w.now);
	else if (ticket_take(hash, &who, session, service, &stream,
	    &w.now) == 0 &&
	    session_find(session) == NULL && TAILQ_EMPTY(&session_ends))
		wrong("a ticket of a session that is over");
}

static void
step_time(void)
{
	static const unsigned	most[] = { 5, 250, 1000, 20000 };
	unsigned		ms = below(most[below(4)]) + 1;

	w.now.ms += ms;
	w.now.wall_ms += ms;
	core_due(&w.now);
}

/* How many of a tunnel's streams are this stream's proxyd's? */
static unsigned
of_its_proxyd(const struct tunnel *t, const struct stream *st)
{
	const struct stream	*other;
	unsigned		 n = 0;

	if (st->grant == NULL || st->grant->door == NULL)
		return (0);
	TAILQ_FOREACH(other, &t->streams, of_tunnel)
		n += other->grant != NULL &&
		    other->grant->door == st->grant->door;
	return (n);
}

static int
has_room_for_one(const struct tunnel *t)
{
	unsigned		 max = (unsigned)w.conf.max_streams;
	const struct stream	*st;

	if (t->nstreams >= max)
		return (0);
	TAILQ_FOREACH(st, &t->waiting, of_tunnel)
		if (of_its_proxyd(t, st) < max - max / 4)
			return (1);
	return (0);
}

/* After a turn nobody waits where there is room. */
static void
check_waiting(void)
{
	const struct tunnel	*t;
	unsigned		 i;

	for (i = 0; i < MUXDS; i++) {
		t = w.muxd[i].t;
		if (w.muxd[i].instance != 0 && t->session != NULL &&
		    t->state == TUNNEL_UP && has_room_for_one(t))
			wrong("a stream waits though there is room");
	}
}

static void
step_turn(void)
{
	if (w.is_committing && below(2) == 0)
		committed(below(10) != 0);
	turn_end(0);
	late_die();
	check_waiting();
}

static void
step_weather(void)
{
	fail_in_100 = below(3) == 0 ? below(40) : 0;
}

/* A stream that muxd has from before, or the end of the list. */
static void
announce_one(struct muxd *m, struct known *k)
{
	struct operator		 who;
	struct stream_ask	 ask = { .tunnel = m->t, .who = &who,
	    .terminal = k->terminal, .addr = "192.0.2.1", .kind = k->kind,
	    .service = k->kind == &stream_terminal ? SERVICE_TERMINAL :
	    "web" };
	struct rowlog		*row = NULL;

	k->announced = 1;
	k->killed = 0;
	k->grant = 0;
	if (k->lender[0] != '\0' &&
	    (ask.lender = session_find(k->lender)) == NULL) {
		k->killed = 1;
		return;
	}
	if (!stream_may_restore(m->t, k->id) ||
	    (row = rowlog_take(k->row)) == NULL) {
		k->killed = 1;
		return;
	}
	rowlog_operator(row, &who);
	who.expires = k->expires;
	if (stream_restore(&ask, k->id, row, below(1000), below(1000),
	    &w.now) != NULL)
		k->killed = 1;
}

static void
step_announce(void)
{
	struct muxd	*m = &w.muxd[below(MUXDS)];
	unsigned	 i;

	if (m->instance == 0 || m->t->state != TUNNEL_AGAIN)
		return;
	for (i = 0; i < w.nknown; i++)
		if (w.known[i].id != 0 && w.known[i].muxd == m->instance &&
		    !w.known[i].announced) {
			announce_one(m, &w.known[i]);
			return;
		}
	m->t->state = TUNNEL_UP;
	if (m->t->session != NULL) {
		session_up(m->t->session, &w.now);
		manifest(m->t->session);
		grant_announced(m->t->session);
	}
	tunnel_room(m->t);
}

/* --- what must hold --- */

static unsigned
check_streams(const struct tunnel *t)
{
	const struct stream	*st;
	unsigned		 n = 0, waiting = 0;

	TAILQ_FOREACH(st, &t->streams, of_tunnel) {
		n++;
		if (st->tunnel != t || st->state < STREAM_ROW ||
		    (st->row == NULL && !st->queued))
			wrong("a stream in the wrong list");
	}
	TAILQ_FOREACH(st, &t->waiting, of_tunnel) {
		waiting++;
		if (st->tunnel != t || st->state != STREAM_QUEUED ||
		    st->row != NULL)
			wrong("a stream that waits in the wrong list");
	}
	if (n != t->nstreams || waiting != t->nwaiting)
		wrong("a tunnel counts its streams wrong");
	return (n + waiting);
}

/* Grants that hang on a second session, as each of the two has them. */
static unsigned	lent, lenders;

/* What a session's tokens have elsewhere. */
static unsigned
check_lent(const struct session *se)
{
	const struct grant	*g;
	const struct stream	*st;
	unsigned		 n = 0;

	TAILQ_FOREACH(g, &se->lent, of_lender) {
		n++;
		if (g->lender != se || g->session == se)
			wrong("a grant lent by another");
	}
	TAILQ_FOREACH(st, &se->lent_streams, of_lender)
		if (st->lender != se)
			wrong("a stream lent by another");
	return (n);
}

static unsigned
check_grants(const struct session *se)
{
	const struct grant	*g;
	const struct stream	*st;
	unsigned		 n = 0, streams;

	lenders += check_lent(se);
	TAILQ_FOREACH(g, &se->grants, of_session) {
		n++;
		streams = 0;
		TAILQ_FOREACH(st, &g->streams, of_grant) {
			streams++;
			if (st->grant != g)
				wrong("a stream under the wrong grant");
		}
		lent += g->lender != NULL;
		if (g->session != se || g->nstreams != streams)
			wrong("a grant counts its streams wrong");
		if (!g->over && g->door == NULL)
			wrong("a grant of nobody");
	}
	return (n);
}

static void
check_sessions(void)
{
	const struct session	*se;
	unsigned		 n = 0, tunnels = 0, grants = 0;
	uint64_t		 reports = 0;

	lent = lenders = 0;
	TAILQ_FOREACH(se, &sessions, entry) {
		n++;
		if (se->over || session_find(se->row.id) != se ||
		    session_by_slot(se->row.system_id, se->row.node) != se)
			wrong("a session is not in its tables");
		if (se->tunnel != NULL && se->tunnel->session != se)
			wrong("a tunnel of another session");
		tunnels += se->tunnel != NULL;
		grants += check_grants(se);
		reports += se->diagnostics.n;
	}
	TAILQ_FOREACH(se, &session_ends, end_entry) {
		tunnels += se->tunnel != NULL;
		grants += check_grants(se);
	}
	if (n != session_count() || n != session_count_of(w.system.id) ||
	    tunnels != session_tunnels())
		wrong("sessions or tunnels are counted wrong");
	if (reports > w.conf.store_max / 32)
		wrong("a system has more of the store than its share");
	if (lent != lenders)
		wrong("a grant is lent by nobody, or twice");
	if (grants != grant_count())
		wrong("grants are counted wrong");
}

static void
check_doors(void)
{
	const struct grant	*g;
	unsigned		 i, n;

	for (i = 0; i < DOORS; i++) {
		if (w.door[i].instance == 0)
			continue;
		n = 0;
		TAILQ_FOREACH(g, &w.door[i].grants, of_door) {
			n++;
			if (g->door != &w.door[i])
				wrong("a grant of another door");
		}
		if (n != w.door[i].ngrants)
			wrong("a door counts its grants wrong");
	}
}

static void
check(void)
{
	const struct stream	*st;
	const struct tunnel	*t;
	unsigned		 i, n = 0;

	for (i = 0; i < MUXDS; i++)
		if (w.muxd[i].instance != 0)
			n += check_streams(w.muxd[i].t);
	TAILQ_FOREACH(t, &tunnel_ends, end_entry)
		if (t->gone)
			n += check_streams(t);
	TAILQ_FOREACH(st, &stream_ends, end_entry)
		n += st->state == STREAM_NEW;
	if (n != stream_count())
		wrong("streams are counted wrong");
	check_sessions();
	check_doors();
	if (effects_lost != 0)
		wrong("an effect was lost");
}

/* --- lives --- */

static void
drop_effects(void)
{
	struct effect	e;

	while (effect_take(&e))
		;
}

/* Whatever waits has a deadline: then nobody waits any more. */
static void
life_calms(void)
{
	unsigned	i;

	fail_in_100 = 0;
	for (i = 0; i < 6; i++) {
		if (w.is_committing)
			committed(1);
		w.now.ms += 1000;
		w.now.wall_ms += 1000;
		core_due(&w.now);
		turn_end(1);
	}
	for (i = 0; i < ASKERS; i++)
		if (w.asker[i].instance != 0)
			wrong("somebody was never answered");
}

/* A crash: what was not written is lost. */
static void
life_ends(void)
{
	unsigned	i;

	for (i = 0; i < DOORS; i++)
		if (w.door[i].instance != 0)
			door_gone(&w.door[i]);
	memset(w.door, 0, sizeof(w.door));
	for (i = 0; i < MUXDS; i++)
		if (w.muxd[i].instance != 0)
			tunnel_gone(w.muxd[i].t, &w.now);
	memset(w.asker, 0, sizeof(w.asker));
	drop_effects();
	end_run(&w.now);
	drop_effects();
	w.is_committing = 0;
	w.waiting.n = w.committing.n = w.new_nrows = w.new_nsessions = 0;
	session_clear();
	if (rowlog_clear() != 0)
		wrong("a row is still in use");
	ticket_clear();
	if (effect_clear() != 0)
		wrong("room for effects is still owed");
	if (stream_count() != 0 || grant_count() != 0 || session_count() != 0)
		wrong("something is left in a table");
	if (blocks != 0)
		wrong("memory is not back");
	w.lives++;
}

/* A kept muxd finds its session, as from_parent.c does it. */
static void
rebind(struct muxd *m)
{
	struct session	*se = session_find(m->session);

	if (m->session[0] == '\0' || (m->t = tunnel_new(m->instance)) == NULL) {
		m->instance = 0;
		return;
	}
	m->t->generation = m->generation;
	if (se == NULL || (se->tunnel != NULL &&
	    se->tunnel->generation >= m->generation)) {
		m->t->state = TUNNEL_CLOSING;
		m->told = 1;
		return;
	}
	if (se->tunnel != NULL)
		tunnel_retire(se->tunnel, 1001, "replaced");
	session_attach(se, m->t);
	m->t->state = TUNNEL_AGAIN;
}

static void
life_begins(void)
{
	unsigned	i;

	core_init(&w.now);
	for (i = 0; i < w.nsessions; i++)
		if (session_load(&w.sessions[i], &w.system) == -1)
			wrong("a session is not loaded");
	for (i = 0; i < w.nrows; i++)
		if (rowlog_load(&w.rows[i], &w.now) == -1)
			wrong("a row is not loaded");
	for (i = 0; i < MUXDS; i++)
		if (w.muxd[i].instance != 0)
			rebind(&w.muxd[i]);
	for (i = 0; i < STREAMS; i++) {
		w.known[i].announced = 0;
		if (muxd_of(w.known[i].muxd) == NULL)
			w.known[i].id = 0;
	}
	session_settle(&w.now);
}

static void
step(unsigned n)
{
	static const struct {
		unsigned	weight;
		void		(*fn)(void);
	} steps[] = {
		{ 6, step_muxd }, { 1, step_muxd_dies }, { 8, step_login },
		{ 8, step_up }, { 3, step_door }, { 10, step_grant },
		{ 2, step_grant_drop }, { 20, step_web }, { 4, step_terminal },
		{ 1, step_termd_dies }, { 12, step_stream_end },
		{ 1, step_session_end }, { 1, step_report }, { 2, step_recheck },
		{ 1, step_ticket }, { 4, step_time }, { 14, step_turn },
		{ 10, step_announce }, { 1, step_weather },
	};
	unsigned	i, all = 0, draws;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		all += steps[i].weight;
	draws = below(all);
	for (i = 0; draws >= steps[i].weight; i++)
		draws -= steps[i].weight;
	steps[i].fn();
	if (n % LIFE == LIFE / 2)
		rowlog_settle(&w.now);
	check();
}

/* Who it is has to be known still. */
static void
refused(const struct refused *r)
{
	if (r->who->id[0] == '\0' || r->why == REFUSE_NOT ||
	    r->type[0] == '\0')
		wrong("a refusal of nobody, or of nothing");
}

static void
world_init(void)
{
	w.conf.max_streams = 4;
	w.conf.store_max = 32 * 400;
	w.conf.max_tunnels = MUXDS;
	w.conf.grace = 30;
	w.conf.startup_grace = 60;
	w.conf.session_lifetime = 900;
	w.conf.ticket_lifetime = 30;
	core_env.conf = &w.conf;
	core_env.uuid = fresh_uuid;
	core_env.refused = refused;
	w.now.ms = 1000;
	w.now.wall_ms = 1700000000000;
	strlcpy(w.system.id, "system", sizeof(w.system.id));
	strlcpy(w.system.key, "key", sizeof(w.system.key));
	index_init();
}

int
main(int argc, char **argv)
{
	unsigned long	i, n = STEPS;
	int		ch;

	while ((ch = getopt(argc, argv, "n:s:")) != -1) {
		if (ch == 'n')
			n = strtoul(optarg, NULL, 10);
		else if (ch == 's')
			seed = strtoul(optarg, NULL, 10) | 1;
	}
	if (sodium_init() == -1)
		return (1);
	blocks = 0;
	world_init();
	life_begins();
	for (i = 1; i <= n && w.wrong == NULL; i++) {
		step((unsigned)i);
		if (i % CALM == 0 || i == n)
			life_calms();
		if (i % LIFE == 0 || i == n) {
			life_ends();
			life_begins();
		}
	}
	life_ends();
	if (w.wrong != NULL)
		diag("step %lu: %s", i - 1, w.wrong);
	diag("%lu lives, %lu pairs, %lu kills, %lu grants ended, %lu answers, "
	    "%lu muxds late, %lu times no memory", w.lives, w.pairs, w.kills,
	    w.ends, w.answers, w.lates, failures);
	ok(w.wrong == NULL, "%lu steps: endings in order, counts, answers, "
	    "memory", n);
	ok(w.pairs > n / 1000 && w.kills > n / 1000 && w.ends > n / 1000 &&
	    w.lates > n / 10000 && failures > n / 1000, "and all of it happened");
	return (done_testing());
}
