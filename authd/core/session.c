/* SPDX-License-Identifier: ISC */
/*
 * The life of a session: pending when its row is made, active once yamux runs,
 * in grace (a deadline, not a state) without a tunnel, closed or expired at
 * last. Its row may wait for a store that is down; its end does not.
 */
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/uuid.h"
#include "effect.h"
#include "proc/conf.h"
#include "services.h"
#include "session.h"

#define RETRY_MS	1000	/* rows that could not be written */
#define PENDING_MS	5000	/* until a row says that yamux does not run */
#define EXTRA_SESSIONS	1024	/* open sessions beyond two per tunnel */
#define SESSION_MAX_MS	(30LL * 24 * 3600 * 1000)
#define CLOSE_OVER	4000	/* tunnel-protocol.md, section 2 */

enum dirty { CLEAN, LATER, FRESH, WRITTEN, WAITING };

static void	session_link(struct session *);
static void	session_unlink(struct session *);
static void	session_free(struct session *);
static void	session_clean(struct session *);

struct sessions		sessions = TAILQ_HEAD_INITIALIZER(sessions);
struct sessions		session_ends = TAILQ_HEAD_INITIALIZER(session_ends);

static struct {
	struct index	by_id, by_slot, by_system;
	struct budget	places, reports, connected;
	unsigned	tunnels;
	TAILQ_HEAD(, session) dirty;
	struct due	retry, later;
	int		settled;
} table = { .dirty = TAILQ_HEAD_INITIALIZER(table.dirty) };

void
session_init(void)
{
	due_init(&table.retry, DUE_SESSION_RETRY);
	due_init(&table.later, DUE_SESSION_LATER);
}

const char *
session_status_name(int status)
{
#define SE(NAME, name)	name,
	static const char *const	names[] = { SESSION_STATES };
#undef SE

	return (status >= 0 && status <= SESSION_EXPIRED ? names[status] : "?");
}

void
session_slug(const char *id, char slug[SLUG_SIZE])
{
	size_t	n = 0;

	for (; *id != '\0' && n < SLUG_SIZE - 1; id++)
		if (*id != '-')
			slug[n++] = *id;
	slug[n] = '\0';
}

int
session_id_check(const char *id)
{
	return (uuid_is(id, strlen(id)) ? 0 : -1);
}

struct session *
session_in(const struct index *by_id, const char *id)
{
	struct link	*l;
	struct session	*se;

	for (l = index_find(by_id, index_key(id)); l != NULL;
	    l = index_next(l)) {
		se = OWNER(l, struct session, by_id);
		if (strcmp(se->row.id, id) == 0)
			return (se);
	}
	return (NULL);
}

struct session *
session_find(const char *id)
{
	return (session_in(&table.by_id, id));
}

struct session *
session_by_slot(const char *system_id, const char *node)
{
	struct link	*l;
	struct session	*se;

	for (l = index_find(&table.by_slot, index_key2(system_id, node));
	    l != NULL; l = index_next(l)) {
		se = OWNER(l, struct session, by_slot);
		if (strcmp(se->row.system_id, system_id) == 0 &&
		    strcmp(se->row.node, node) == 0)
			return (se);
	}
	return (NULL);
}

unsigned
session_count(void)
{
	return ((unsigned)table.by_id.count);
}

unsigned
session_count_of(const char *system_id)
{
	struct link	*l;
	unsigned	 n = 0;

	for (l = index_find(&table.by_system, index_key(system_id)); l != NULL;
	    l = index_next(l))
		n++;
	return (n);
}

void
session_each_in(const struct index *by_system, const char *system_id,
    void (*fn)(struct session *, void *), void *arg)
{
	struct link	*l;
	struct session	*se;

	for (l = index_find(by_system, index_key(system_id)); l != NULL;
	    l = index_next(l)) {
		se = OWNER(l, struct session, by_system);
		if (strcmp(se->row.system_id, system_id) == 0)
			fn(se, arg);
	}
}

void
session_each_of(const char *system_id, void (*fn)(struct session *, void *),
    void *arg)
{
	session_each_in(&table.by_system, system_id, fn, arg);
}

int
session_node_cmp(const char *a, const char *b)
{
	return (strlen(a) != strlen(b) ? (strlen(a) > strlen(b)) * 2 - 1 :
	    strcmp(a, b));
}

static void
take_first(struct session *se, void *arg)
{
	struct session	**first = arg;

	if (*first == NULL ||
	    session_node_cmp(se->row.node, (*first)->row.node) < 0)
		*first = se;
}

struct session *
session_of_system(const char *system_id)
{
	struct session	*first = NULL;

	session_each_of(system_id, take_first, &first);
	return (first);
}

static void
move(struct session *se, void *arg)
{
	strlcpy(se->org_id, arg, sizeof(se->org_id));
}

static void
rename_to(struct session *se, void *arg)
{
	strlcpy(se->system_name, arg, sizeof(se->system_name));
}

void
session_renamed(const char *system_id, const char *name)
{
	session_each_of(system_id, rename_to, (void *)(uintptr_t)name);
}

void
session_moved(const char *system_id, char *org_id)
{
	session_each_of(system_id, move, org_id);
}

/*
 * How many there may be; an organization's share when little is left, but of
 * those that are in the store already.
 */
static void
session_limits(int is_there)
{
	table.places.total = 2 * core_env.conf->max_tunnels + EXTRA_SESSIONS;
	table.places.one = UINT64_MAX;	/* a system's: login.c */
	table.places.few = is_there ? UINT64_MAX : table.places.total / 16;
}

struct session *
session_bare(void)
{
	struct session	*se;

	if (effect_owe(OWED_SESSION) == -1)
		return (NULL);
	if ((se = calloc(1, sizeof(*se))) == NULL) {
		effect_paid(OWED_SESSION);
		return (NULL);
	}
	TAILQ_INIT(&se->grants);
	TAILQ_INIT(&se->lent);
	TAILQ_INIT(&se->lent_streams);
	due_init(&se->grace, DUE_SESSION_GRACE);
	due_init(&se->expiry, DUE_SESSION_EXPIRY);
	due_init(&se->push, DUE_SESSION_PUSH);
	return (se);
}

static struct session *
session_alloc(const char *system_id, const char *org_id, int is_there)
{
	struct session	*se;

	if ((se = session_bare()) == NULL)
		return (NULL);
	session_limits(is_there);
	if (budget_take(&table.places, &se->place, system_id, org_id, 1) ==
	    -1) {
		session_free(se);
		return (NULL);
	}
	return (se);
}

static void
session_link(struct session *se)
{
	session_slug(se->row.id, se->slug);
	index_add(&table.by_id, &se->by_id, index_key(se->row.id));
	index_add(&table.by_slot, &se->by_slot,
	    index_key2(se->row.system_id, se->row.node));
	index_add(&table.by_system, &se->by_system,
	    index_key(se->row.system_id));
	TAILQ_INSERT_TAIL(&sessions, se, entry);
}

static void
session_unlink(struct session *se)
{
	index_del(&table.by_id, &se->by_id);
	index_del(&table.by_slot, &se->by_slot);
	index_del(&table.by_system, &se->by_system);
	TAILQ_REMOVE(&sessions, se, entry);
	due_del(&se->grace);
	due_del(&se->expiry);
	due_del(&se->push);
	budget_leave(&table.reports, &se->diagnostics);
	budget_leave(&table.reports, &se->users);
	se->over = 1;
}

static void
session_free(struct session *se)
{
	services_free(se->services);
	effect_paid(OWED_SESSION);
	budget_leave(&table.places, &se->place);
	freezero(se, sizeof(*se));
}

/* Start. */

static void
session_system(struct session *se, const struct system_row *sys)
{
	strlcpy(se->system_key, sys->key, sizeof(se->system_key));
	strlcpy(se->system_name, sys->name, sizeof(se->system_name));
	strlcpy(se->org_id, sys->org_id, sizeof(se->org_id));
}

int
session_load(const struct session_row *row, const struct system_row *sys)
{
	struct session	*se;

	if (session_find(row->id) != NULL)
		return (0);
	if ((se = session_alloc(row->system_id, sys != NULL ? sys->org_id :
	    "", 1)) == NULL)
		return (-1);
	se->row = *row;
	if (sys != NULL)
		session_system(se, sys);
	session_link(se);
	(void)session_diagnostics(se, row->diagnostics_len);
	(void)session_users(se, row->users_len);
	return (0);
}

static void
session_arm_expiry(struct session *se, const struct now *now)
{
	int64_t	left = se->row.expires_at - now->wall_ms;

	due_set(&se->expiry, now->ms + (left > 0 ? (uint64_t)left : 0));
}

struct session *
session_adopt(const struct session_row *row, const struct system_row *sys,
    const struct now *now)
{
	struct session	*se;

	if (session_load(row, sys) == -1)
		return (NULL);
	se = session_find(row->id);
	session_arm_expiry(se, now);
	return (se);
}

void
session_settle(const struct now *now)
{
	struct session	*se, *next;

	table.settled = 1;
	for (se = TAILQ_FIRST(&sessions); se != NULL; se = next) {
		next = TAILQ_NEXT(se, entry);
		if (se->row.expires_at <= now->wall_ms) {
			session_end(se, SESSION_EXPIRED, "timeout", CLOSE_OVER,
			    now);
			continue;
		}
		if (se->barred) {
			session_end(se, SESSION_CLOSED, "operator", CLOSE_OVER,
			    now);
			continue;
		}
		session_arm_expiry(se, now);
		if (se->tunnel == NULL)
			session_detach(se, core_env.conf->startup_grace, now);
	}
}

/* Tunnels: an organization has no more than a share of the last quarter. */
static int
tunnel_take(struct claim *c, const char *system_id, const char *org_id)
{
	struct budget	*b = &table.connected;

	b->total = core_env.conf->max_tunnels;
	b->one = UINT64_MAX;	/* a system's: its sessions */
	b->few = b->total / 16 > 0 ? b->total / 16 : 1;
	return (budget_take(b, c, system_id, org_id, 1));
}

int
session_may_connect(const struct session *se, const struct system_row *sys)
{
	struct claim	c = { .n = 0 };

	if (se != NULL && se->tunnel != NULL)
		return (1);		/* it takes the old one's place */
	if (table.tunnels >= core_env.conf->max_tunnels ||
	    tunnel_take(&c, sys->id, sys->org_id) == -1)
		return (0);
	budget_leave(&table.connected, &c);
	return (1);
}

/* Life. */

struct session *
session_new(const struct system_row *sys, const char *node,
    const char token_hash[HEX64_SIZE], const struct now *now)
{
	struct session	*se;

	if ((se = session_alloc(sys->id, sys->org_id, 0)) == NULL)
		return (NULL);
	core_env.uuid(se->row.id);
	strlcpy(se->row.system_id, sys->id, sizeof(se->row.system_id));
	strlcpy(se->row.node, node, sizeof(se->row.node));
	session_system(se, sys);
	strlcpy(se->row.token_hash, token_hash, sizeof(se->row.token_hash));
	se->row.started_at = se->row.created_at = now->wall_ms;
	se->row.expires_at = now->wall_ms +
	    (int64_t)core_env.conf->session_lifetime * 1000;
	se->row.status = SESSION_PENDING;
	se->fresh = 1;
	session_link(se);
	session_touch(se, now);
	session_arm_expiry(se, now);
	return (se);
}

/* For end_run(): until then effects may point to it. */
static void
session_queue(struct session *se)
{
	se->ending = 1;
	TAILQ_INSERT_TAIL(&session_ends, se, end_entry);
}

void
session_over(struct session *se)
{
	se->over = 1;
	session_queue(se);
}

void
session_drop(struct session *se)
{
	session_unbind(se);
	session_unlink(se);
	session_clean(se);
	session_queue(se);
}

void
session_lose(struct session *se, uint16_t code, const char *text)
{
	if (se->over)
		return;
	session_unlink(se);
	session_clean(se);
	effect_add(EFFECT_SERVICES)->session = se;
	se->close_code = code;
	se->close_text = text;
	session_queue(se);
}

/*
 * Its row says until when it waits; once that is written we know nothing of it.
 */
static void
session_leave(struct session *se, uint64_t grace_s, const struct now *now)
{
	session_unlink(se);
	se->row.leave_s = grace_s;
	session_touch(se, now);
	session_queue(se);
}

static void
session_changed(const struct session *se)
{
	if (core_env.changed != NULL)
		core_env.changed(se);
}

void
session_attach(struct session *se, struct tunnel *t)
{
	due_del(&se->grace);
	se->tunnel = t;
	t->session = se;
	strlcpy(se->row.member, core_env.conf->cluster_name,
	    sizeof(se->row.member));
	table.tunnels++;
	(void)tunnel_take(&se->connected, se->row.system_id, se->org_id);
	session_changed(se);
}

static void
session_let_go(struct session *se)
{
	if (se->tunnel == NULL)
		return;
	se->tunnel->session = NULL;
	se->tunnel = NULL;
	table.tunnels--;
	budget_leave(&table.connected, &se->connected);
	session_changed(se);
}

void
session_unbind(struct session *se)
{
	if (se->newcomer != NULL)
		se->newcomer->session = NULL;
	se->newcomer = NULL;
	session_let_go(se);
}

struct tunnel *
session_tunnel(const struct session *se)
{
	struct tunnel	*t = se->tunnel;

	if (t == NULL || tunnel_is_ending(t))
		return (NULL);
	return (t->state == TUNNEL_UP || t->state == TUNNEL_AGAIN ? t : NULL);
}

unsigned
session_tunnels(void)
{
	return (table.tunnels);
}

void
session_detach(struct session *se, uint64_t grace_s, const struct now *now)
{
	struct effect	*e;
	int		 had = se->tunnel != NULL;

	session_let_go(se);
	services_free(se->services);
	se->services = NULL;
	if (se->over)
		return;		/* end_run() does the rest */
	effect_add(EFFECT_SERVICES)->session = se;
	if (!table.settled)
		return;
	e = effect_add(EFFECT_GRACE);
	e->session = se;
	e->code = grace_s;
	if (core_env.conf->cluster_name[0] != '\0') {
		/* What others bring here for it goes to who has it next. */
		if (had) {
			e = effect_add(EFFECT_IDLE_DROP);
			e->session = se;
			e->code = 1;
		}
		session_leave(se, grace_s, now);
	} else
		due_set(&se->grace, now->ms + grace_s * 1000);
}

/* The one place where the state changes. */
static void
session_set_status(struct session *se, int status, const char *by,
    const struct now *now)
{
	struct effect	*e = effect_add(EFFECT_STATUS);

	e->session = se;
	e->code = (uint64_t)status;
	e->text = by;
	se->row.status = status;
	strlcpy(se->row.closed_by, by, sizeof(se->row.closed_by));
	session_touch(se, now);
}

/* Mostly its row says so already: session_flush(). */
void
session_up(struct session *se, const struct now *now)
{
	int	is_ahead = se->dirty == LATER;

	if (se->row.status != SESSION_PENDING)
		return;
	session_set_status(se, SESSION_ACTIVE, "", now);
	if (is_ahead)
		session_clean(se);
}

enum refusal
session_extend(struct session *se, uint32_t hours, const struct now *now)
{
	int64_t	until = se->row.expires_at + (int64_t)hours * 3600000;

	if (!session_is_open(se, now))
		return (REFUSE_CLOSED);
	if (until > se->row.started_at + SESSION_MAX_MS)
		return (REFUSE_TOO_LONG);
	se->row.expires_at = until;
	session_arm_expiry(se, now);
	session_touch(se, now);
	return (REFUSE_NOT);
}

/* Half of the store is for them; what a session needs has the rest. */
static int
session_report(struct session *se, struct claim *c, uint64_t len)
{
	struct budget	*b = &table.reports;

	b->total = core_env.conf->store_max / 2;
	b->one = b->total / 16;
	b->few = b->total / 4;
	if (len <= c->n) {
		budget_give(b, c, c->n - len);
		return (0);
	}
	return (budget_take(b, c, se->row.system_id, se->org_id, len - c->n));
}

int
session_diagnostics(struct session *se, uint64_t len)
{
	return (session_report(se, &se->diagnostics, len));
}

int
session_users(struct session *se, uint64_t len)
{
	return (session_report(se, &se->users, len));
}

void
session_touch(struct session *se, const struct now *now)
{
	se->row.updated_at = now->wall_ms;
	if (se->dirty == CLEAN)
		TAILQ_INSERT_TAIL(&table.dirty, se, dirty_entry);
	se->dirty = FRESH;
	session_changed(se);
}

int
session_is_open(const struct session *se, const struct now *now)
{
	return (!se->over && (!table.settled ||
	    se->row.expires_at > now->wall_ms));
}

void
session_end(struct session *se, int status, const char *by, uint16_t code,
    const struct now *now)
{
	if (se->over)
		return;
	session_unlink(se);
	se->row.closed_at = now->wall_ms;
	se->close_code = code;
	se->close_text = "session_closed";
	session_set_status(se, status, by, now);
	effect_add(EFFECT_SERVICES)->session = se;
	session_queue(se);
}

void
session_end_system(const char *system_id, const char *by,
    const struct now *now)
{
	struct link	*l, *next;
	struct session	*se;

	for (l = index_find(&table.by_system, index_key(system_id)); l != NULL;
	    l = next) {
		next = index_next(l);
		se = OWNER(l, struct session, by_system);
		if (strcmp(se->row.system_id, system_id) == 0)
			session_end(se, SESSION_CLOSED, by, CLOSE_OVER, now);
	}
}

void
session_expired(struct due *d, const struct now *now)
{
	session_end(OWNER(d, struct session, expiry), SESSION_EXPIRED,
	    "timeout", CLOSE_OVER, now);
}

void
session_lost(struct due *d, const struct now *now)
{
	session_end(OWNER(d, struct session, grace), SESSION_CLOSED,
	    "disconnect", CLOSE_OVER, now);
}

void
session_push_due(struct due *d)
{
	effect_add(EFFECT_SERVICES)->session = OWNER(d, struct session, push);
}

/* end_run() is through with it: it lives until its row is written. */
void
session_reap(struct session *se)
{
	TAILQ_REMOVE(&session_ends, se, end_entry);
	se->ending = 0;
	if (se->dirty == CLEAN)
		session_free(se);
}

/* The turn's end: write what changed, keep what could not be written. */

static void
session_clean(struct session *se)
{
	if (se->dirty != CLEAN)
		TAILQ_REMOVE(&table.dirty, se, dirty_entry);
	se->dirty = CLEAN;
}

/*
 * A new row says active, since in a moment it will be: a login is one commit,
 * and one change of what the list is made of. Who asks for the list before
 * that, or after PENDING_MS, reads pending.
 */
void
session_flush(int (*write)(const struct session_row *, int), int all)
{
	struct session		*se;
	struct session_row	 row;
	int			 fresh;

	TAILQ_FOREACH(se, &table.dirty, dirty_entry) {
		if (se->dirty != FRESH && !(all && se->dirty == LATER))
			continue;
		row = se->row;
		fresh = se->fresh && !se->inserted;
		if (fresh && row.status == SESSION_PENDING)
			row.status = SESSION_ACTIVE;
		se->ahead = row.status != se->row.status;
		se->taken = write(&row, fresh);
		se->inserted |= fresh && !se->taken;
		se->dirty = WRITTEN;
		se->writing = 1;
	}
}

static void
session_written(struct session *se, const struct now *now)
{
	if (se->ahead && !se->taken && se->row.status == SESSION_PENDING) {
		se->dirty = LATER;
		if (!table.later.is_set)
			due_set(&table.later, now->ms + PENDING_MS);
		return;
	}
	session_clean(se);
	if (se->over && !se->ending)
		session_free(se);
}

/* Another member has written to it since: whose it is has to be asked. */
static void
session_is_taken(struct session *se)
{
	struct effect	*e;

	if (se->fresh || se->over || (se->tunnel != NULL &&
	    se->tunnel->state == TUNNEL_LOGIN))
		return;			/* or who logs in looks himself */
	e = effect_add(EFFECT_TAKEN);
	e->session = se;
}

void
session_flushed(int ok, const struct now *now)
{
	struct session	*se, *next;
	int		 was_writing, waiting = 0;

	for (se = TAILQ_FIRST(&table.dirty); se != NULL; se = next) {
		next = TAILQ_NEXT(se, dirty_entry);
		if (se->writing && ok && !se->taken)
			se->fresh = 0;
		if (se->writing && ok && se->taken)
			session_is_taken(se);
		was_writing = se->writing;
		se->writing = se->inserted = 0;
		if (se->dirty == WRITTEN && !(was_writing && ok))
			se->dirty = WAITING;
		waiting |= se->dirty == WAITING;
		if (se->dirty == WRITTEN)
			session_written(se, now);
	}
	if (waiting && !table.retry.is_set)
		due_set(&table.retry, now->ms + RETRY_MS);
}

static void
session_refresh(int which)
{
	struct session	*se;

	TAILQ_FOREACH(se, &table.dirty, dirty_entry)
		if (se->dirty == which)
			se->dirty = FRESH;
}

void
session_retry(void)
{
	session_refresh(WAITING);
}

void
session_later(void)
{
	session_refresh(LATER);
}

void
session_clear(void)
{
	struct session	*se;

	while ((se = TAILQ_FIRST(&table.dirty)) != NULL) {
		session_clean(se);
		if (se->over)
			session_free(se);
	}
	while ((se = TAILQ_FIRST(&sessions)) != NULL) {
		session_drop(se);
		session_reap(se);
	}
	due_del(&table.retry);
	due_del(&table.later);
	table.settled = 0;
}
