/* SPDX-License-Identifier: ISC */
#include <malloc.h>

#include "authd/core/effect.h"
#include "authd/core/end.h"
#include "authd_world.h"
#include "base/compat.h"

struct world	w;

/* --- memory --- */

void	*__real_calloc(size_t, size_t);
void	*__real_malloc(size_t);
void	*__real_reallocarray(void *, size_t, size_t);
void	 __real_free(void *);
void	*__wrap_calloc(size_t, size_t);
void	*__wrap_malloc(size_t);
void	*__wrap_reallocarray(void *, size_t, size_t);
void	 __wrap_free(void *);

long		blocks;
unsigned	fail_in_100;
unsigned long	failures;
uint64_t	seed = 1;

static uint64_t
draw(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed);
}

unsigned
below(unsigned n)
{
	return ((unsigned)(draw() >> 11) % n);
}

static int
fails(void)
{
	if (fail_in_100 == 0 || below(100) >= fail_in_100)
		return (0);
	failures++;
	return (1);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	void	*p = fails() ? NULL : __real_calloc(n, size);

	blocks += p != NULL;
	return (p);
}

void *
__wrap_malloc(size_t size)
{
	void	*p = fails() ? NULL : __real_malloc(size);

	blocks += p != NULL;
	return (p);
}

void *
__wrap_reallocarray(void *old, size_t n, size_t size)
{
	void	*p = fails() ? NULL : __real_reallocarray(old, n, size);

	blocks += p != NULL && old == NULL;
	return (p);
}

/* Whoever still uses it shall not find what was there. */
void
__wrap_free(void *p)
{
	if (p == NULL)
		return;
	memset(p, 0xdb, malloc_usable_size(p));
	blocks--;
	__real_free(p);
}

void
wrong(const char *what)
{
	if (w.wrong == NULL)
		w.wrong = what;
}

void
fresh_uuid(char id[UUID_SIZE])
{
	snprintf(id, UUID_SIZE, "00000000-0000-0000-0000-%012llx",
	    (unsigned long long)++w.next);
}

/* Askers: whoever lives is answered, once. */

struct asker
ask(uint64_t instance)
{
	struct asker	a = { .instance = instance, .id = (uint32_t)++w.next };
	unsigned	i;

	for (i = 0; i < ASKERS; i++)
		if (w.asker[i].instance == 0) {
			w.asker[i] = a;
			return (a);
		}
	wrong("too many askers wait");
	return (a);
}

void
answered(struct asker a)
{
	unsigned	i;

	for (i = 0; i < ASKERS; i++)
		if (w.asker[i].instance == a.instance &&
		    w.asker[i].id == a.id) {
			w.asker[i].instance = 0;
			w.answers++;
			return;
		}
	wrong("answered twice, or nobody asked");
}

void
asker_dies(uint64_t instance)
{
	unsigned	i;

	for (i = 0; i < ASKERS; i++)
		if (w.asker[i].instance == instance)
			w.asker[i].instance = 0;
}

struct muxd *
muxd_of(uint64_t instance)
{
	unsigned	i;

	for (i = 0; i < MUXDS; i++)
		if (instance != 0 && w.muxd[i].instance == instance)
			return (&w.muxd[i]);
	return (NULL);
}

static struct door *
door_of(uint64_t instance)
{
	unsigned	i;

	for (i = 0; i < DOORS; i++)
		if (instance != 0 && w.door[i].instance == instance)
			return (&w.door[i]);
	return (NULL);
}

static int
termd_lives(uint64_t instance)
{
	unsigned	i;

	for (i = 0; i < TERMDS; i++)
		if (instance != 0 && w.termd[i] == instance)
			return (1);
	return (0);
}

static struct known *
known_of(uint64_t id)
{
	unsigned	i;

	for (i = 0; i < w.nknown; i++)
		if (id != 0 && w.known[i].id == id)
			return (&w.known[i]);
	return (NULL);
}

/* --- the store --- */

static struct access_row *
row_of(struct access_row *v, unsigned n, const char *id)
{
	while (n-- > 0)
		if (strcmp(v[n].id, id) == 0)
			return (&v[n]);
	return (NULL);
}

static struct session_row *
session_of(struct session_row *v, unsigned n, const char *id)
{
	while (n-- > 0)
		if (strcmp(v[n].id, id) == 0)
			return (&v[n]);
	return (NULL);
}

static void
write_row(const struct access_row *row, int fresh, int ends)
{
	if (ends && row->disconnected_at == 0)
		wrong("an end is said of a row that is open");
	if (fresh ? row_of(w.rows, w.nrows, row->id) != NULL :
	    row->disconnected_at == 0 &&
	    row_of(w.rows, w.nrows, row->id) == NULL)
		wrong("a row is inserted twice, or changed before");
	if (w.new_nrows < KEPT)
		w.new_rows[w.new_nrows++] = *row;
	else
		wrong("too many rows");
}

static int
write_session(const struct session_row *row, int fresh)
{
	int	is_there = session_of(w.sessions, w.nsessions, row->id) !=
		    NULL || session_of(w.new_sessions, w.new_nsessions,
		    row->id) != NULL;

	if (fresh ? is_there : row->closed_at == 0 && !is_there)
		wrong("a session is inserted twice, or changed before");
	if (w.new_nsessions < KEPT)
		w.new_sessions[w.new_nsessions++] = *row;
	else
		wrong("too many sessions");
	return (0);
}

/* What is over is of no interest any more. */
static void
store_take(void)
{
	struct access_row	*r;
	struct session_row	*s;
	unsigned		 i;

	for (i = 0; i < w.new_nsessions; i++) {
		s = session_of(w.sessions, w.nsessions, w.new_sessions[i].id);
		if (s == NULL && w.nsessions < KEPT)
			s = &w.sessions[w.nsessions++];
		if (s != NULL)
			*s = w.new_sessions[i];
		else
			wrong("too many sessions");
	}
	for (i = 0; i < w.new_nrows; i++) {
		r = row_of(w.rows, w.nrows, w.new_rows[i].id);
		if (r == NULL && w.nrows < KEPT)
			r = &w.rows[w.nrows++];
		if (r != NULL)
			*r = w.new_rows[i];
		else
			wrong("too many rows");
	}
}

static void
store_forget(void)
{
	unsigned	i;

	for (i = 0; i < w.nrows; i++)
		if (w.rows[i].disconnected_at != 0)
			w.rows[i--] = w.rows[--w.nrows];
	for (i = 0; i < w.nsessions; i++)
		if (w.sessions[i].status > SESSION_ACTIVE)
			w.sessions[i--] = w.sessions[--w.nsessions];
}

/* --- effects --- */

static void
do_kill(const struct effect *e)
{
	struct known	*k = known_of(e->number);

	if (muxd_of(e->to.instance) == NULL)
		return;
	if (k == NULL || k->muxd != e->to.instance)
		wrong("a kill of a stream that its muxd has not");
	else if (k->killed)
		wrong("killed twice");
	else
		k->killed = 1;
	if (k != NULL)
		k->killed_ms = w.now.ms;
	w.kills++;
}

/* Only who was told, and had its time. */
static void
do_late(const struct effect *e)
{
	struct muxd	*m = muxd_of(e->to.instance);
	unsigned	 i;

	if (m == NULL || !stream_is_late(e->number))
		return;
	for (i = 0; i < w.nknown; i++)
		if (w.known[i].id == e->number && w.known[i].killed &&
		    w.now.ms - w.known[i].killed_ms >= 10000)
			break;
	if (i == w.nknown)
		wrong("a muxd is late that was not told");
	m->late = 1;
	w.lates++;
}

/* By then muxd has heard of every stream under it. */
static void
do_grant_end(const struct effect *e)
{
	unsigned	i;

	if (door_of(e->to.instance) == NULL)
		return;
	for (i = 0; i < w.nknown; i++)
		if (w.known[i].id != 0 && w.known[i].grant == e->number &&
		    !w.known[i].killed)
			wrong("proxyd was told before muxd");
	w.ends++;
}

static void
do_close(const struct effect *e)
{
	struct muxd	*m = muxd_of(e->to.instance);
	unsigned	 i;

	if (m == NULL)
		return;		/* a termd's: nothing hangs on it */
	for (i = 0; i < w.nknown; i++)
		if (w.known[i].id != 0 && w.known[i].muxd == m->instance &&
		    !w.known[i].killed && w.known[i].announced)
			wrong("a tunnel was closed before its streams");
	m->told = 1;
}

static void
pair_check(const struct stream *st)
{
	if (st->state != STREAM_OPENED || st->row == NULL || !st->row->saved)
		wrong("a pair without a saved row");
	else if (row_of(w.rows, w.nrows, st->row->row.id) == NULL)
		wrong("a pair whose row is not in the store");
	if (st->kind == &stream_web &&
	    (st->grant == NULL || st->grant->over))
		wrong("a pair without a live grant");
	if (st->tunnel->session == NULL || st->tunnel->session->over)
		wrong("a pair for a session that is over");
	if (st->lender != NULL && st->lender->over)
		wrong("a pair under a token of a session that is over");
}

/* An end each: now muxd knows it, and the asker is answered. */
static void
pair_give(struct stream *st, struct asker to)
{
	struct known	*k;
	unsigned	 i;

	for (i = 0; i < STREAMS && w.known[i].id != 0; i++)
		;
	if (i >= w.nknown)
		w.nknown = i + 1;	/* those behind were never used */
	if (i == STREAMS) {
		wrong("too many streams");
		return;
	}
	k = &w.known[i];
	memset(k, 0, sizeof(*k));
	k->id = st->id;
	k->muxd = st->tunnel->instance;
	k->grant = st->grant != NULL ? st->grant->id : 0;
	k->terminal = st->terminal;
	if (st->lender != NULL)
		strlcpy(k->lender, st->lender->row.id, sizeof(k->lender));
	k->kind = st->kind;
	k->expires = st->kind->lapses ? st->who.expires : 0;
	k->announced = 1;
	strlcpy(k->row, st->row->row.id, sizeof(k->row));
	answered(to);
	stream_given(st->id);
	w.pairs++;
}

static void
do_pair(const struct effect *e)
{
	struct stream	*st = stream_to_pair(e->number);

	if (st == NULL) {
		if (stream_find(e->number) == NULL)
			wrong("a pair for no stream");
	} else if (door_of(e->to.instance) == NULL &&
	    !termd_lives(e->to.instance)) {
		stream_failed(st->id, REFUSE_NOT);
	} else if (muxd_of(st->tunnel->instance) == NULL) {
		stream_failed(st->id, REFUSE_TUNNEL_NONE);
	} else if (below(50) == 0) {
		stream_failed(st->id, REFUSE_BUSY);
	} else {
		pair_check(st);
		pair_give(st, e->to);
	}
}

static void
do_refused(const struct effect *e)
{
	if (e->refusal == REFUSE_NOT)
		wrong("refused with a yes");
	if (door_of(e->to.instance) != NULL || termd_lives(e->to.instance))
		answered(e->to);
}

static void
do_granted(const struct effect *e)
{
	struct grant	*g = grant_to_say(e->number, &e->to);

	if (g == NULL) {
		if (grant_get(e->number) == NULL)
			wrong("granted, but there is none");
		return;
	}
	if (g->over || grant_is_doomed(g))
		wrong("granted what is over");
	if (door_of(e->to.instance) == NULL)
		return;
	grant_told(g);
	answered(e->to);
	if (below(50) == 0)
		grant_busy(g->id);
}

void
later(int what, uint64_t id)
{
	struct later	*l = &w.waiting.v[w.waiting.n++];

	memset(l, 0, sizeof(*l));
	l->what = what;
	l->id = id;
}

static void
effects(void)
{
	struct effect	e;

	while (effect_take(&e)) {
		switch (e.kind) {
		case EFFECT_KILL:
			do_kill(&e);
			break;
		case EFFECT_GRANT_END:
			do_grant_end(&e);
			break;
		case EFFECT_CLOSE:
			do_close(&e);
			break;
		case EFFECT_LATE:
			do_late(&e);
			break;
		case EFFECT_PAIR:
			do_pair(&e);
			break;
		case EFFECT_STREAM_REFUSED:
		case EFFECT_TERM_REFUSED:
		case EFFECT_GRANT_REFUSED:
			do_refused(&e);
			break;
		case EFFECT_GRANTED:
			do_granted(&e);
			break;
		case EFFECT_STREAM_ROW:
			later(LATER_STREAM, e.number);
			break;
		case EFFECT_GRANT_ROW:
			later(LATER_GRANT, e.number);
			break;
		default:
			if (e.session != NULL && e.session->row.id[8] != '-')
				wrong("an effect of a session that is freed");
		}
	}
}

/* --- the turn --- */

static void
login_done(const struct later *l, int ok)
{
	struct session	*se = session_find(l->session);
	struct muxd	*m = muxd_of(l->id);

	if (!ok && se != NULL && l->created) {
		session_drop(se);
	} else if (!ok && se != NULL && m != NULL && se->tunnel == m->t) {
		session_detach(se, w.conf.grace, &w.now);
	} else if (ok && m != NULL && se != NULL && m->t->session == se) {
		m->t->state = TUNNEL_BOUND;
		strlcpy(m->session, se->row.id, sizeof(m->session));
		m->generation = m->t->generation;
		return;
	}
	if (m != NULL)
		m->t->state = TUNNEL_CLOSING;
}

void
committed(int ok)
{
	static struct laters	now;
	unsigned		i;

	w.is_committing = 0;
	if (ok)
		store_take();
	session_flushed(ok, &w.now);
	rowlog_flushed(ok, &w.now);
	now = w.committing;
	w.committing.n = w.new_nrows = w.new_nsessions = 0;
	for (i = 0; i < now.n; i++) {
		if (now.v[i].what == LATER_GRANT)
			grant_saved(now.v[i].id, ok, &w.now);
		else if (now.v[i].what == LATER_STREAM)
			stream_saved(now.v[i].id, ok);
		else
			login_done(&now.v[i], ok);
	}
	/* Only now: until here everybody may look whether a row was there. */
	effects();
	store_forget();
}

void
turn_end(int calm)
{
	struct session	*se;

	/* Somebody asked for a list, and the turn went on with a new one. */
	if (!calm && !w.is_committing && below(8) == 0) {
		session_flush(write_session, 1);
		TAILQ_FOREACH(se, &sessions, entry)
			if (se->fresh)
				session_touch(se, &w.now);
	}
	effects();
	end_run(&w.now);
	effects();
	if (w.is_committing)
		return;
	session_flush(write_session, below(4) == 0);
	rowlog_flush(write_row);
	w.committing = w.waiting;
	w.waiting.n = 0;
	w.is_committing = 1;
	if (calm || below(4) != 0)
		committed(calm || below(10) != 0);
	end_run(&w.now);
	effects();
}
