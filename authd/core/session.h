/* SPDX-License-Identifier: ISC */
#ifndef SESSION_H
#define SESSION_H

#include <sys/queue.h>

#include "base/clock.h"
#include "base/index.h"
#include "imsg/msg.h"
#include "authd/store/store.h"
#include "authd/msg/peer.h"

struct services;

/*
 * The open sessions (pending, active), held in memory and in the store. What
 * is over is in the store only. tunnel-protocol.md, section 6.
 */
struct session {
	/* set once */
	struct link		 by_id, by_slot, by_system;
	TAILQ_ENTRY(session)	 entry;		/* of the open ones, or dirty */
	TAILQ_ENTRY(session)	 dirty_entry;
	char			 slug[SLUG_SIZE];
	char			 system_key[SYSKEY_SIZE];
	char			 system_name[NAME_SIZE];
	/* state */
	struct session_row	 row;
	int			 over;		/* not in the tables any more */
	int			 dirty;		/* enum dirty in session.c */
	struct peer		*tunnel;	/* bound muxd, NULL in grace */
	struct peer *newcomer; /* its login waits for a probe */
	struct services		*services;	/* never NULL */
	struct grants		 grants;
	struct timer		 grace, expiry;
	struct timer		 push;		/* a table that waits to be told */
	uint64_t		 pushed_ms;	/* when one was told last */
	uint64_t		 idle_drop_ms;	/* when proxyds were last asked */
};

TAILQ_HEAD(sessions, session);
extern struct sessions	sessions;

int	 session_init(void);
/* Fill the tables from the store: 0, or -1 when it cannot be read. */
int	 session_load(void);
/*
 * After a start: everybody who is bound has been told. Expire what is due, end
 * what is disabled, start the timers. Before the first grant.
 */
void	 session_settle(void);

struct session	*session_find(const char *id);
struct session	*session_by_slug(const char *slug);
struct session	*session_by_slot(const char *system_id, const char *node);
unsigned	 session_count(void);
unsigned	 session_count_of(const char *system_id);

/*
 * A new pending session of the slot in this turn's transaction; the caller
 * drops it with session_drop() when the commit fails. NULL: out of memory or a
 * limit of the daemon (errno EMFILE), or the store has one that we do not know
 * (EEXIST).
 */
struct session	*session_new(const struct system_row *, const char *node);
void		 session_drop(struct session *);

/* A tunnel took the session, or is gone: grace runs. */
void	 session_attach(struct session *, struct peer *);
void	 session_detach(struct session *, uint64_t grace_s);
/* Nothing but that: who calls has another tunnel, or an end, for it. */
void	 session_unbind(struct session *);
/* Its tunnel, if that can take streams (or will have told in a moment). */
struct peer	*session_tunnel(const struct session *);
/* How many have a tunnel. */
unsigned session_tunnels(void);
/* yamux runs. */
void	 session_up(struct session *);
/* The row has changed: it is written at the end of the turn. */
void	 session_touch(struct session *);

/*
 * The one end of a session: closed or expired, by whom, how the tunnel is
 * told (a WebSocket close code). Streams first, then grants, then the tunnel.
 */
void	 session_end(struct session *, int status, const char *by,
	    uint16_t code);
/* End all sessions of a system. */
void	 session_end_system(const char *system_id, const char *by);
/* Is it open and not past its end? An overdue one is ended by asking. */
int	 session_is_open(struct session *);

const char	*session_status_name(int status);
/* Slug of an id and back; -1 when it is not one. */
void	 session_slug(const char *id, char slug[SLUG_SIZE]);
int	 session_id_check(const char *id);

/* The turn's end. */
void	 session_flush(void);
void	 session_flushed(int ok);

#endif
