/* SPDX-License-Identifier: ISC */
#ifndef DB_H
#define DB_H

#include <stddef.h>
#include <stdint.h>

#include "authd/store/store.h"

/*
 * What the questions and writes of this room are made of: statements, which an
 * engine runs (engine.h). A statement is prepared at first use. Its text is
 * SQLite's; pg/dialect.h says what is put in other words for PostgreSQL, and
 * where that does not do, it has a text of its own.
 */
struct sqlite3_stmt;

struct query {
	const char		*sql;
	const char		*pg;		/* NULL: the same */
	const char		*name;		/* for the log */
	struct sqlite3_stmt	*stmt;
	struct query		*next;		/* prepared ones */
	uint64_t		 turn, spent_ns; /* the last, and in it */
	unsigned		 number;	/* on a server, 0: none yet */
	int			 may_be_taken;	/* STORE_TAKEN is no failure */
	int			 none_is_taken;	/* and no row says it, on a server */
	/* takes back what it has made: the same first parameter */
	struct query		*undo;
};
/*
 * Milliseconds by the engine's clock, in a file; relayd.now_ms() of a server.
 */
#define LITE_NOW							\
	"CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
#define QUERY(text)	{ .sql = (text), .name = __func__ }
#define QUERY2(text, server)						\
	{ .sql = (text), .pg = (server), .name = __func__ }

/*
 * Bind in order: 't' const char * ("" becomes NULL), 'T' const char * as it is,
 * 'U' the same of a UUID, 'i' int64_t, 'u' int64_t (AUDIT_UNSAID becomes NULL),
 * 'n' int, 'j' const char * and size_t, 'b' const void * and size_t. db_write
 * runs a statement in the turn's transaction: 0, STORE_TAKEN, -1. db_read
 * begins a question: 0 (a row is there), STORE_NONE, -1; after the last column,
 * or on 0 only, db_done() is due. db_step fetches the next row: 0, STORE_NONE
 * or -1.
 */
int	 db_write(struct query *, const char *types, ...);
/*
 * The same where what it touched has to be known at once: db_changes(). Only
 * for what is allowed to be in the store without the rest of the turn.
 */
int	 db_write_now(struct query *, const char *types, ...);
int	 db_read(struct query *, const char *types, ...);
int	 db_step(struct query *);
void	 db_done(struct query *);

/*
 * Do something that reads: at once, and `done` then; or aside, bit by bit as
 * answers come, and `done` in a later turn. Returns NULL when `done` has been
 * called already, or (no memory, r -1) will not be; else what db_cancel() takes
 * until then: fn finds the store down and returns, `done` is not called.
 */
void		 db_commit(void (*then)(int, void *), void *arg);
void		 db_finish(void);
struct aside;
struct aside	*db_aside(void (*fn)(void *), void (*done)(void *), void *arg,
		    int *r);
void		 db_cancel(struct aside *);
int		 db_is_late(void);

#ifdef RELAYD_TESTING
/* The statements that were used, linked. */
struct query	*db_prepared(void);
/* A list goes over so many rows at a time; no place in one is remembered. */
void		 db_list_step(int64_t rows);
#endif

/* Something that belongs to this turn could not be written: nothing is. */
void	 db_void(void);
/* How many transactions have come to nothing; one more each time it closes. */
unsigned db_lost(void);

/* How many rows the last write touched, without what went with them. */
unsigned db_changes(void);
/* purge.c: what one system has beyond its count. */
void	 db_trim(const char *system_id);
/*
 * How many bytes the file may have, and what takes the oldest of what is over
 * away when it is nearly as large.
 */
void	 db_limit(uint64_t bytes, void (*oldest)(void));

/*
 * The answers, for store_ask(): 0, STORE_NONE or -1. Those that say "next" give
 * one row behind `after`, an id, "" for the first.
 */
int	db_system_by_key(const char *key, struct system_row *);
int	db_system_by_id(const char *id, struct system_row *);
int	db_system_by_public(const char *public, struct system_row *);
int	db_system_detail(const char *id, struct system_detail *);
/*
 * The next few systems of a walk: calls back with the id of each that matches.
 */
int	db_systems_walk(const struct system_query *, struct walked *,
	    void (*fn)(const char *id, void *), void *arg);
/* Rows after `after` (an id, "" for the first), not deleted, by id. */
int	db_system_next(const char *after, struct system_row *);
/*
 * One with a name that is not `but` (an id); any that an organization has, any
 * organization that is below it. Not deleted.
 */
int	db_system_named(const char *name, const char *but,
	    struct system_row *);
int	db_org_system(const char *id, struct system_row *);
int	db_org_child(const char *id, struct org_row *);
int	db_org_get(const char *id, struct org_row *);
int	db_org_next(const char *after, struct org_row *);
/* One that is good at `now`: by its id, or the next after one. */
int	db_token(const char *id, int64_t now, struct token_row *);
int	db_token_next(const char *after, int64_t now, struct token_row *);
/*
 * May this role of this organization see the system? 0 yes, STORE_NONE no.
 * operator-api.md, section 3.
 */
int	db_visible(const char *org_role, const char *org_id,
	    const char *system_id);
int	db_org_seen(const char *org_role, const char *org_id, const char *id);
/* A role in lower case. */
void	db_role(const char *role, char dst[WORD_SIZE]);
const char	*db_uuid_after(const char *);
int	db_reference_get(const char *id, struct reference_row *);
int	db_session_slot(const char *system, const char *node,
	    struct session_row *);
int	db_session_get(const char *id, struct session_row *);
/* Open rows (pending, active) after an id, by id. */
int	db_session_next_open(const char *after, struct session_row *);
/* A page, up to page_size rows (*n says how many); the total of all pages. */
int	db_groups(const struct list_query *, int64_t *total,
	    struct group_row *, size_t *n, struct walked *);
/*
 * The group's open rows among those that the query matches, by node (none
 * first), newest first: calls back for each.
 */
int	db_group_sessions(const struct list_query *, const char *system_id,
	    void (*fn)(const struct session_row *, void *), void *arg);
/* What operators have added to a session, by name. */
int	db_added(const char *session, void (*fn)(const struct added_row *,
	    void *), void *arg);
/* calloc()ed; for the questions that have one. */
int	db_document(enum store_what, const char *key, struct document **);
/* The page of a session's rows: calls back for each; how many there are. */
int	db_logs(const char *id, const struct list_query *, int64_t *total,
	    void (*fn)(const struct access_row *, void *), void *arg);
/* STORE_EVENTS behind this one, or ("") the last: 0, also for none; -1. */
int	db_audit(const char *after, void (*)(const struct audit_row *, void *),
	    void *arg);
/*
 * For a server, whose commits are known later: read where the chains end (in an
 * aside); a turn goes there; it is there, or nothing that was written since is.
 */
int	db_audit_load(void);
void	db_audit_sent(void);
void	db_audit_written(int ok);
int	db_audit_tails(void (*)(const struct audit_row *, void *), void *arg);
int	db_audit_heads(void (*)(const struct audit_row *, void *), void *arg);
/*
 * Of a chain the oldest `n` events at most go, those that are older than
 * `before` or not among the newest `max`; the chain then says so. How many.
 */
unsigned db_audit_purge(int chain, int64_t before, int64_t max, unsigned n);
/*
 * Is somebody walking along them? Then something has to wait, until made up
 * for.
 */
int	 db_audit_is_held(void);
void	 db_audit_made_up(void);
/* What comes from before there were chains. */
unsigned db_audit_purge_old(int64_t before, unsigned n);
/*
 * Which member of a cluster we are; "" none: all that is in the store is ours.
 */
const char	*db_member(void);
/*
 * Do other members write into it, too? Then it is a server, whose clock counts;
 * a file is one relayd's, whatever its name.
 */
int	 db_is_shared(void);
const char	*db_member_at(int *port);
/* As store_member_was_at() said; "": nowhere else. */
const char	*db_member_was_at(int *port);
int	db_members(void (*fn)(const struct member_row *, void *), void *arg);
int	db_elsewhere(const char *after,
	    void (*fn)(const struct elsewhere_row *, void *), void *arg);
int	db_guests(const char *after,
	    void (*fn)(const struct guest_row *, void *), void *arg);
/* Of one system, of other members. */
int	db_present(const char *system_id,
	    void (*fn)(const struct present_row *, void *), void *arg);
int	db_losses(void (*fn)(const struct loss_row *, void *), void *arg);
/* Rows not yet disconnected after an id, by id. */
int	db_access_next_open(const char *after, struct access_row *);
/* By id; the one that began first of those that have ended. */
/* Behind this id. */
int	db_relay_next(const char *after, struct relay_row *);
int	db_relay_get(const char *id, struct relay_row *);
int	db_relays_lost(const char *after, int64_t now,
	    void (*fn)(const struct relay_row *, void *), void *arg);
int	db_relay_at(const char *id, struct at_row *);
int	db_recording_at(const char *id, struct at_row *);
/* By its end, behind this id. */
int	db_consumed_next(const char *after, struct consumed_row *);
int	db_consumed_get(const char *id, struct consumed_row *);
int	db_recording(const char *id, struct recording_row *);
int	db_recording_oldest(struct recording_row *);
/* The next after an id, by beginning; the next that has not ended, by id. */
int	db_recording_next(const char *after, struct recording_row *);
int	db_recording_next_open(const char *after, struct recording_row *);
int	db_recording_sum(struct recording_sum *);
/* A page of a session's, the newest first: as db_logs(). */
int	db_recordings_of(const char *session, const struct list_query *,
	    int64_t *total, void (*fn)(const struct recording_row *, void *),
	    void *arg);
/* Up to two whose id begins so. */
int	db_recordings_named(const char *begin,
	    void (*fn)(const struct recording_row *, void *), void *arg);
/*
 * Is the token, what it was issued under, or one of the users revoked at `now`?
 * 0 yes (what it is, "token" or "user", in kind, why in reason), STORE_NONE no.
 */
int	db_revoked(const struct question *, char kind[WORD_SIZE],
	    char reason[MESSAGE_SIZE]);

#define DB_SESSION_COLUMNS						\
	"SELECT id, system_id, node_id, session_token, reconnect_token,"	\
	" reconnect_prev, started_at, expires_at, closed_at, created_at,"	\
	" updated_at, diagnostics_at, status, closed_by, generation,"	\
	" diagnostics_len, users_len, users_good, member, grace_at,"	\
	" CASE WHEN diagnostics_len <= 65536 AND json_valid(diagnostics)"	\
	" THEN json_extract(diagnostics, '$.overall_status') END"	\
	" FROM support_sessions "
void	 db_session_read(struct query *, struct session_row *);

/* Columns of a system for db_system_read(); `s` is its table. */
#define DB_SYSTEM_COLUMNS						\
	"s.id, s.name, s.system_key, s.system_secret_public,"		\
	" s.system_secret_sha256, s.organization_id, s.type,"		\
	" s.support_enabled, s.suspended_at, s.deleted_at, s.created_at,"	\
	" s.registered_at"
#define DB_SYSTEM_NCOLUMNS	12
void	 db_system_read(struct query *, struct system_row *);

/* Column `i` of the row: a text ("" for NULL) cut to fit, a number (0). */
void	 db_text(struct query *, int i, char *dst, size_t size);
int64_t	 db_int(struct query *, int i);
/*
 * Of the one row of one number that db_read() said `r` of: r, and if 0 the
 * number.
 */
int	 db_number(struct query *, int r, int64_t *);
/* A text as it is, good until the next step; NULL for NULL. */
const char	*db_bytes(struct query *, int i, size_t *len);
/*
 * What the column holds: 'i' a whole number, 't' text, 'b' bytes, 0 NULL, '?'.
 */
int	 db_type(struct query *, int i);
/* Bytes, `size` of them; -1: it holds something else, and dst is zeroed. */
int	 db_blob(struct query *, int i, void *dst, size_t size);

#endif
