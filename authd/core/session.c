/* SPDX-License-Identifier: ISC */
/*
 * The life of a session: pending when its row is made, active once yamux runs,
 * in grace (a timer, not a state) without a tunnel, closed or expired at last.
 * Its row may wait for a store that is down; its end does not.
 */
#include <errno.h>
#include <stdio.h>
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
#include "stream.h"
#include "ticket.h"

#define RETRY_MS	1000	/* rows that could not be written */
#define EXTRA_SESSIONS	1024	/* open sessions beyond two per tunnel */
#define CLOSE_OVER	4000	/* tunnel-protocol.md, section 2 */

enum dirty { CLEAN, FRESH, WRITTEN, WAITING };

static void	session_expired(void *);
static void	session_gone(void *);
static void	session_retry(void *);
static void	session_link(struct session *);
static void	session_unlink(struct session *);
static void	session_free(struct session *);
static void	session_set_status(struct session *, int, const char *);
static void	session_title(void);

struct sessions		sessions = TAILQ_HEAD_INITIALIZER(sessions);

static struct {
	struct index	by_id, by_slot, by_system;
	unsigned	tunnels;
	TAILQ_HEAD(, session) dirty;
	struct timer	retry;
	int		settled;
} table;

int
session_init(void)
{
	TAILQ_INIT(&table.dirty);
	timer_init(&table.retry, session_retry, NULL);
	return (0);
}

const char *
session_status_name(int status)
{
	static const char *const	names[] = { "pending", "active",
	    "closed", "expired" };

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
	size_t	i;

	if (strlen(id) != UUID_SIZE - 1)
		return (-1);
	for (i = 0; i < UUID_SIZE - 1; i++) {
		if (i == 8 || i == 13 || i == 18 || i == 23) {
			if (id[i] != '-')
				return (-1);
		} else if (strchr("0123456789abcdef", id[i]) == NULL) {
			return (-1);
		}
	}
	return (0);
}

struct session *
session_find(const char *id)
{
	struct link	*l;
	struct session	*se;

	for (l = index_find(&table.by_id, index_key(id)); l != NULL;
	    l = index_next(l)) {
		se = OWNER(l, struct session, by_id);
		if (strcmp(se->row.id, id) == 0)
			return (se);
	}
	return (NULL);
}

struct session *
session_by_slug(const char *slug)
{
	char	id[UUID_SIZE];

	if (strlen(slug) != SLUG_SIZE - 1)
		return (NULL);
	snprintf(id, sizeof(id), "%.8s-%.4s-%.4s-%.4s-%.12s", slug, slug + 8,
	    slug + 12, slug + 16, slug + 20);
	return (session_find(id));
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

static struct session *
session_alloc(void)
{
	struct session	*se;

	if (session_count() >= 2 * proc_conf()->max_tunnels + EXTRA_SESSIONS) {
		errno = EMFILE;
		return (NULL);
	}
	if ((se = calloc(1, sizeof(*se))) == NULL)
		return (NULL);
	if ((se->services = services_new(0, 0)) == NULL) {
		free(se);
		return (NULL);
	}
	TAILQ_INIT(&se->grants);
	timer_init(&se->grace, session_gone, se);
	timer_init(&se->expiry, session_expired, se);
	timer_init(&se->push, services_push_due, se);
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
	timer_del(&se->grace);
	timer_del(&se->expiry);
	timer_del(&se->push);
	se->over = 1;
}

static void
session_free(struct session *se)
{
	services_free(se->services);
	explicit_bzero(&se->row, sizeof(se->row));
	free(se);
}

/* Start. */

static int
session_load_one(const struct session_row *row)
{
	struct system_row	 sys;
	struct session		*se;
	int			 r;

	if ((r = store_system_by_id(row->system_id, &sys)) == -1)
		return (-1);
	if ((se = session_alloc()) == NULL) {
		log_warnx("session %s: too many open ones, left out", row->id);
		return (0);
	}
	se->row = *row;
	if (r == 0) {
		strlcpy(se->system_key, sys.key, sizeof(se->system_key));
		strlcpy(se->system_name, sys.name, sizeof(se->system_name));
	}
	session_link(se);
	return (0);
}

int
session_load(void)
{
	struct session_row	row;
	char			after[UUID_SIZE] = "";
	int			r;

	while ((r = store_session_next_open(after, &row)) == 0) {
		strlcpy(after, row.id, sizeof(after));
		if (session_find(row.id) == NULL &&
		    session_load_one(&row) == -1)
			return (-1);
	}
	return (r == STORE_NONE ? 0 : -1);
}

/* May its system still have tunnels? A store that cannot say ends nothing. */
static int
session_is_allowed(const struct session *se)
{
	struct system_row	sys;
	int			r;

	r = store_system_by_id(se->row.system_id, &sys);
	if (r == -1)
		return (1);
	return (r == 0 && sys.support_enabled && sys.suspended_at == 0 &&
	    sys.deleted_at == 0);
}

static void
session_arm_expiry(struct session *se)
{
	int64_t	left = se->row.expires_at - clock_wall_ms();

	timer_set(&se->expiry, left > 0 ? (uint64_t)left : 0);
}

void
session_settle(void)
{
	struct session	*se, *next;

	table.settled = 1;
	for (se = TAILQ_FIRST(&sessions); se != NULL; se = next) {
		next = TAILQ_NEXT(se, entry);
		if (se->row.expires_at <= clock_wall_ms()) {
			session_end(se, SESSION_EXPIRED, "timeout", CLOSE_OVER);
			continue;
		}
		if (!session_is_allowed(se)) {
			session_end(se, SESSION_CLOSED, "operator", CLOSE_OVER);
			continue;
		}
		session_arm_expiry(se);
		if (se->tunnel == NULL)
			session_detach(se, proc_conf()->startup_grace);
	}
}

/* ps says how many there are. */
static void
session_title(void)
{
	proc_title("%u sessions, %u tunnels", session_count(), table.tunnels);
}

/* Life. */

struct session *
session_new(const struct system_row *sys, const char *node)
{
	struct session	*se;
	char		 token[HEX64_SIZE];
	int64_t		 now = clock_wall_ms();

	if ((se = session_alloc()) == NULL)
		return (NULL);
	secret_uuid(se->row.id);
	strlcpy(se->row.system_id, sys->id, sizeof(se->row.system_id));
	strlcpy(se->row.node, node, sizeof(se->row.node));
	strlcpy(se->system_key, sys->key, sizeof(se->system_key));
	strlcpy(se->system_name, sys->name, sizeof(se->system_name));
	secret_token(token);
	secret_hash(token, se->row.token_hash);
	explicit_bzero(token, sizeof(token));
	se->row.started_at = se->row.created_at = se->row.updated_at = now;
	se->row.expires_at = now +
	    (int64_t)proc_conf()->session_lifetime * 1000;
	se->row.status = SESSION_PENDING;
	session_flush();	/* the slot's last one may just have ended */
	if (store_session_insert(&se->row) == STORE_TAKEN) {
		session_free(se);
		errno = EEXIST;
		return (NULL);
	}
	session_link(se);
	session_arm_expiry(se);
	session_title();
	return (se);
}

void
session_drop(struct session *se)
{
	session_unlink(se);
	if (se->newcomer != NULL)
		se->newcomer->session = NULL;
	session_title();
	if (se->dirty != CLEAN)
		TAILQ_REMOVE(&table.dirty, se, dirty_entry);
	session_free(se);
}

void
session_attach(struct session *se, struct peer *pe)
{
	timer_del(&se->grace);
	se->tunnel = pe;
	pe->session = se;
	table.tunnels++;
	session_title();
}

void
session_unbind(struct session *se)
{
	if (se->tunnel == NULL)
		return;
	se->tunnel->session = NULL;
	se->tunnel = NULL;
	table.tunnels--;
	session_title();
}

struct peer *
session_tunnel(const struct session *se)
{
	enum peer_state	state;

	if (se->tunnel == NULL)
		return (NULL);
	state = peer_state(se->tunnel);
	return (state == P_UP || state == P_AGAIN ? se->tunnel : NULL);
}

unsigned
session_tunnels(void)
{
	return (table.tunnels);
}

void
session_detach(struct session *se, uint64_t grace_s)
{
	session_unbind(se);
	services_free(se->services);
	if ((se->services = services_new(0, 0)) == NULL)
		fatalx("out of memory");
	services_push(se);
	if (!table.settled)
		return;
	log_info("session %s: no tunnel, grace %llu s", se->row.id,
	    (unsigned long long)grace_s);
	timer_set(&se->grace, grace_s * 1000);
}

void
session_up(struct session *se)
{
	if (se->row.status == SESSION_PENDING)
		session_set_status(se, SESSION_ACTIVE, "");
}

/* The one place where the state changes. */
static void
session_set_status(struct session *se, int status, const char *by)
{
	log_info("session %s: %s%s%s (system %s%s%s)", se->row.id,
	    session_status_name(status), by[0] != '\0' ? " by " : "", by,
	    se->system_key, se->row.node[0] != '\0' ? " node " : "",
	    se->row.node);
	se->row.status = status;
	strlcpy(se->row.closed_by, by, sizeof(se->row.closed_by));
	session_touch(se);
}

void
session_touch(struct session *se)
{
	se->row.updated_at = clock_wall_ms();
	if (se->dirty == CLEAN)
		TAILQ_INSERT_TAIL(&table.dirty, se, dirty_entry);
	se->dirty = FRESH;
}

static void
session_expired(void *arg)
{
	session_end(arg, SESSION_EXPIRED, "timeout", CLOSE_OVER);
}

static void
session_gone(void *arg)
{
	session_end(arg, SESSION_CLOSED, "disconnect", CLOSE_OVER);
}

int
session_is_open(struct session *se)
{
	if (se->over)
		return (0);
	if (table.settled && se->row.expires_at <= clock_wall_ms()) {
		session_end(se, SESSION_EXPIRED, "timeout", CLOSE_OVER);
		return (0);
	}
	return (1);
}

void
session_end(struct session *se, int status, const char *by, uint16_t code)
{
	struct peer	*pe = se->tunnel;

	if (se->over)
		return;
	session_unlink(se);
	se->row.closed_at = clock_wall_ms();
	session_set_status(se, status, by);
	session_title();
	/* muxd first: a broken proxyd cannot keep what it had. */
	if (pe != NULL)
		stream_kill_all(pe, END_SESSION);
	grant_end_session(se, END_SESSION);
	ticket_forget_session(se->row.id);
	rowlog_end_session(se->row.id);
	if (se->newcomer != NULL)
		se->newcomer->session = NULL;
	se->newcomer = NULL;
	if (pe == NULL)
		return;
	session_unbind(se);
	peer_close(pe, code, "session_closed");
}

void
session_end_system(const char *system_id, const char *by)
{
	struct session	*se, *next;

	for (se = TAILQ_FIRST(&sessions); se != NULL; se = next) {
		next = TAILQ_NEXT(se, entry);
		if (strcmp(se->row.system_id, system_id) == 0)
			session_end(se, SESSION_CLOSED, by, CLOSE_OVER);
	}
}

/* The turn's end: write what changed, keep what could not be written. */

void
session_flush(void)
{
	struct session	*se;

	TAILQ_FOREACH(se, &table.dirty, dirty_entry) {
		if (se->dirty != FRESH)
			continue;
		(void)store_session_update(&se->row);
		se->dirty = WRITTEN;
	}
}

void
session_flushed(int ok)
{
	struct session	*se, *next;
	int		 waiting = 0;

	for (se = TAILQ_FIRST(&table.dirty); se != NULL; se = next) {
		next = TAILQ_NEXT(se, dirty_entry);
		if (se->dirty == WRITTEN && ok) {
			TAILQ_REMOVE(&table.dirty, se, dirty_entry);
			se->dirty = CLEAN;
			if (se->over)
				session_free(se);
			continue;
		}
		if (se->dirty == WRITTEN)
			se->dirty = WAITING;
		waiting |= se->dirty == WAITING;
	}
	if (waiting && !timer_is_set(&table.retry))
		timer_set(&table.retry, RETRY_MS);
}

static void
session_retry(void *arg)
{
	struct session	*se;

	(void)arg;
	TAILQ_FOREACH(se, &table.dirty, dirty_entry)
		if (se->dirty == WAITING)
			se->dirty = FRESH;
}
