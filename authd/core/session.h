/* SPDX-License-Identifier: ISC */
#ifndef SESSION_H
#define SESSION_H

#include <sys/queue.h>

#include "authd/store/store.h"
#include "base/index.h"
#include "budget.h"
#include "due.h"
#include "env.h"
#include "imsg/msg.h"
#include "refusal.h"
#include "tunnel.h"

struct grant;
struct services;

TAILQ_HEAD(grants, grant);
TAILQ_HEAD(sessions, session);

/*
 * The open sessions (pending, active), held in memory and in the store. What
 * is over is in the store only. tunnel-protocol.md, section 6.
 */
struct session {
	/* set once */
	struct link		 by_id, by_slot, by_system;
	TAILQ_ENTRY(session)	 entry;		/* of the open ones */
	TAILQ_ENTRY(session)	 dirty_entry, end_entry;
	char			 slug[SLUG_SIZE];
	char			 system_key[SYSKEY_SIZE];
	char			 system_name[NAME_SIZE], org_id[ID_SIZE];
	struct claim		 place;		/* among the open ones */
	struct claim		 diagnostics, users;	/* bytes in the store */
	struct claim		 connected;	/* among the tunnels */
	/* state */
	struct session_row	 row;
	int			 fresh;		/* not in the store yet */
	int			 taken;		/* its slot is in use there */
	int			 dirty, writing;
	int			 ahead;		/* its row says active */
	int			 inserted;	/* not committed yet */
	int			 barred;	/* its system, at the start */
	int			 over;		/* not in the tables any more */
	int			 guest;		/* another member's: guest.h */
	int			 ending;	/* waits for end_run() */
	uint16_t		 close_code;	/* for its tunnel, then */
	struct tunnel		*tunnel;	/* NULL in grace */
	struct tunnel		*newcomer;	/* whose login waits */
	struct services		*services;	/* NULL: none */
	struct grants		 grants;
	/* on siblings, under tokens for this one; they end with it */
	struct grants		 lent;
	struct streams		 lent_streams;
	struct due		 grace, expiry;
	const char		*close_text;
	struct due		 push;		/* its table waits to be told */
	uint64_t		 pushed_ms;	/* when one was told last */
	uint64_t		 idle_drop_ms;	/* proxyds were asked last */
	/* of one that drains: what is new waits until then, 0: not; and the last
	   stream that outlasted that */
	uint64_t		 held_ms, outlasted;
	uint64_t		 empty_ms;	/* it goes then, if none comes */
	uint64_t		 expect_ms;	/* since then one may come */
	uint64_t		 comes_ms;	/* until then, from one that drains */
	/* its table in the store, for members with a sibling. Of ours: is it
	   there, or on its way, since when by clock_ms(), and its sum */
	int			 table_told, table_goes;
	uint64_t		 table_ms, table_sum;
	/* of a guest: which we have, which there is; in which look it was */
	int64_t			 table_at, told_at;
	unsigned		 looked;
};
extern struct sessions	sessions;

void	 session_init(void);
/*
 * An open one from the store; `sys` NULL: its system is not known there. 0, or
 * -1: no room. Known ones are left.
 */
int	 session_load(const struct session_row *, const struct system_row *sys);
/*
 * After a start: everybody who is bound has been told. Expire what is due, end
 * what is disabled, start the deadlines. Before the first grant.
 */
void	 session_settle(const struct now *);

struct session	*session_find(const char *id);
struct session	*session_by_slot(const char *system_id, const char *node);
unsigned	 session_count(void);
unsigned	 session_count_of(const char *system_id);
/* The order of nodes: none before all, then as numbers. */
int		 session_node_cmp(const char *, const char *);
/* The open one of its lowest node; NULL. */
struct session	*session_of_system(const char *system_id);
/* Its system belongs to another organization from now on. */
void		 session_moved(const char *system_id, char *org_id);
void		 session_renamed(const char *system_id, const char *name);
/* Those of a system: calls back for each, which ends none. */
void		 session_each_of(const char *system_id,
		    void (*fn)(struct session *, void *), void *arg);

/*
 * A new pending session of the slot in this turn's transaction; the caller
 * drops it with session_drop() when the commit fails, or when `taken` says then
 * that the store has one of the slot that we do not know. NULL: out of memory
 * or a limit of the daemon.
 */
struct session	*session_new(const struct system_row *, const char *node,
		    const char token_hash[HEX64_SIZE], const struct now *);
void		 session_drop(struct session *);

/*
 * Is there room for a tunnel of this system? One that takes the place of the
 * session's (NULL: a new one's) has it.
 */
int		 session_may_connect(const struct session *,
		    const struct system_row *);
/* A tunnel took the session, or is gone: grace runs. */
void	 session_attach(struct session *, struct tunnel *);
void	 session_detach(struct session *, uint64_t grace_s,
	    const struct now *);
/*
 * Of a cluster. One that the store has, and we have from now on: it is there
 * (no tunnel has it yet), or NULL: no room. One that another member has: we
 * forget it, its tunnel is closed. A member that loses a tunnel leaves the
 * session to whoever the client comes to next: session_detach().
 */
struct session	*session_adopt(const struct session_row *,
		    const struct system_row *, const struct now *);
void	 session_lose(struct session *, uint16_t code, const char *text);
/* Nothing but that: who calls has another tunnel, or an end, for it. */
void	 session_unbind(struct session *);
/* Its tunnel, if that can take streams (or will have told in a moment). */
struct tunnel	*session_tunnel(const struct session *);
/* How many have a tunnel. */
unsigned session_tunnels(void);
/* yamux runs. */
void	 session_up(struct session *, const struct now *);
/*
 * Its diagnostics, or users, will be `len` bytes: 0, or -1: its system or
 * organization has its share of the store, and they are not to be kept.
 */
int	 session_diagnostics(struct session *, uint64_t len);
int	 session_users(struct session *, uint64_t len);
/*
 * Its end is so much later: 0, or why not, as it may come no later than 30 days
 * after the start.
 */
enum refusal	 session_extend(struct session *, uint32_t hours,
		    const struct now *);
/* The row has changed: it is written at the end of the turn. */
void	 session_touch(struct session *, const struct now *);

/*
 * The one end of a session: closed or expired, by whom, how the tunnel is
 * told (a WebSocket close code). It is in no table from now on; streams, grants
 * and tunnel end in end_run().
 */
void	 session_end(struct session *, int status, const char *by,
	    uint16_t code, const struct now *);
/* End all sessions of a system. */
void	 session_end_system(const char *system_id, const char *by,
	    const struct now *);
/* Is it open and not past its end? */
int	 session_is_open(const struct session *, const struct now *);

const char	*session_status_name(int status);
/* Slug of an id; is it an id at all? 0 or -1. */
void	 session_slug(const char *id, char slug[SLUG_SIZE]);
int	 session_id_check(const char *id);

/* Deadlines. */
void	 session_expired(struct due *, const struct now *);
void	 session_lost(struct due *, const struct now *);
void	 session_push_due(struct due *);
void	 session_retry(void);
void	 session_later(void);

/*
 * The turn's end: `write` gets what is to be written, with `all` also
 * what says too much, and tells whether its slot was taken; session_flushed()
 * hears what became of it.
 */
void	 session_flush(int (*write)(const struct session_row *, int fresh),
	    int all);
void	 session_flushed(int ok, const struct now *);

/*
 * For guest.c: one that is in no table, with nothing; NULL. Its end. And those of
 * such tables, by id, by system.
 */
struct session	*session_bare(void);
void		 session_over(struct session *);
struct session	*session_in(const struct index *by_id, const char *id);
void		 session_each_in(const struct index *by_system,
		    const char *system_id, void (*fn)(struct session *, void *),
		    void *arg);

/* For end.c: those that ended. */
extern struct sessions	session_ends;
void	 session_reap(struct session *);
/* Forget all, for the end of a test. */
void	 session_clear(void);

#endif
