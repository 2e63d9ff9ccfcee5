/* SPDX-License-Identifier: ISC */
#ifndef STORE_H
#define STORE_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"
#include "authd/cred/refer.h"
#include "authd/cred/secret.h"

/*
 * What outlives the processes. One interface; the back end here is SQLite
 * (store_sqlite*.c). Table and column names: operator-api.md, section 10.
 *
 * All writes of one turn of the loop are one transaction: the first write
 * begins it, store_commit() ends it. Times are milliseconds since 1970, 0:
 * unset.
 * Calls return 0; STORE_NONE when a question has no answer; -1 when the store
 * failed, which is logged once until it works again, and makes every write of
 * the turn void.
 */
#define STORE_NONE	(-2)
#define STORE_TAKEN	(-3)	/* a key that must be unique is in use */

#define STORE_SCHEMA	18	/* version in the file */
#define STORE_MAJOR	1	/* of a server's: later ones are no use to us */

/*
 * Before it is opened: not a file, but a PostgreSQL server, to which so many
 * connections may be made; libpq's words say where it is, and not the password.
 * -1: they are none.
 */
int	store_server(const char *conninfo, unsigned conns);
int	store_server_password(const char *, size_t len);
/* The file with who may have signed its certificate; without one no TLS. */
void	store_server_ca(const char *path);
/*
 * Which tables there are: 0 none, -1 nobody knows just now. Making those that
 * are needed: `then` hears once, in this call or later, why it could not be, or
 * NULL; -1: somebody does it already.
 */
struct store_schema {
	const char	*engine;
	int		 version, needed;
};
void	store_schema(struct store_schema *);
int	store_schema_apply(void (*then)(const char *err, void *arg), void *arg);
/*
 * Who is told of a session that another open one of its slot was in the way of,
 * or of a token of pairing that somebody has used before: with a server that is
 * known at the commit only, before its `then`.
 */
void	store_on_taken(void (*fn)(const char *id));
/* Who is told that this turn changes a system; "": one goes. */
void	store_on_system(void (*fn)(const char *id));

/*
 * Before it is opened: we are this member of a cluster, one of several who
 * write to the server. What others are busy with is then no question's answer
 * (open sessions, open rows, recordings and relay sessions at the start).
 */
void	store_member(const char *name);
/*
 * And others reach us there: while a row of our name with a beat says another
 * place, or its writer is connected from another machine, somebody else is this
 * member, and the server is not opened (store_why_not()).
 */
void	store_member_at(const char *address, uint16_t port);
/* Until now they did so there: a row that says that is our own, too. */
void	store_member_was_at(const char *address, uint16_t port);
/*
 * Open or make the file. STORE_NONE: it is being tried; -1: not now, call again
 * later; nothing else may be called until it has succeeded, except
 * store_commit() and store_close().
 */
int	store_open(const char *path);
/* Of the last store_open() that failed. */
const char	*store_why_not(void);
/*
 * How many bytes it may have, before it is opened. A turn that finds it nearly
 * full takes the oldest of what is over away with it.
 */
void	store_limit(uint64_t bytes);
void	store_close(void);
/* Is it open and did the last transaction work? */
int	store_is_up(void);
/*
 * End the turn: `then` hears once, in this call or later, whether everything
 * that was written since the last call is in the store (1; also when nothing
 * was) or nothing of it is (0). Only one is under way at a time.
 */
void	store_commit(void (*then)(int ok, void *arg), void *arg);
/* Was anything written since? Also when it failed. */
int	store_has_writes(void);
/* We stop: what is under way is finished when it returns. */
void	store_finish(void);
/* Down: try a write that changes nothing. 0 when it works again, else -1. */
int	store_probe(void);
/*
 * Some of what has been over for so long that it need not be kept: sessions
 * that nobody used, and the logs with the sessions they are about. 0; 1: some
 * is gone, and there may be more.
 */
struct store_keep {
	int64_t	now, sessions_before, log_before;
	int64_t	done_before, refused_before;	/* audit events */
	int64_t	done_max, refused_max;		/* the newest so many */
	int64_t	sessions_max;	/* of a system and state, that nobody used */
	int64_t	log_max;			/* rows of the access log */
};
int	store_purge(const struct store_keep *);
/*
 * Microseconds spent in the store since the last call, and which statement took
 * the most of them (a name for the log, "" none), how many.
 */
uint64_t store_spent_us(const char **slowest, uint64_t *most);

/* How many bytes of it are in use. */
uint64_t store_used(void);

/*
 * Asking. The answer comes once: in the same call (SQLite), or in a later turn
 * of the loop; then what was true when the question was put may have changed,
 * and who asked looks again. A question sees the writes that were made before
 * it, also those of a turn that is not committed yet.
 */
enum store_what {
#define Q(NAME, word, how, row)	ASK_##NAME,
#include "ask.def"
#undef Q
	ASK_COUNT
};

/*
 * How far a walk through a table has come: behind the row of this key (a number
 * or a text, a state before it) and id, and so many rows. Zeroed: not begun.
 */
struct walked {
	int	begun, done;
	int64_t	rows, number;
	int	rank;
	char	text[NAME_SIZE], id[ID_SIZE];
};

struct list_query;
struct system_query;
struct group_row;

struct question {
	enum store_what		 what;
	const char		*key;
	const char		*org_role, *org_id, *user, *impersonator;
	const char		*node;
	int64_t			 now;
	const struct list_query	*list;
	const struct system_query *systems;
	const struct group_row	*groups;
	size_t			 n;
	uint64_t		 asker;		/* an instance, 0: authd */
	uint64_t		 until_ms;	/* of clock_ms(); 0: 5 s from now */
};

#define STORE_MANY	256	/* small rows in one */
#define STORE_PAGE	64	/* rows in one answer to "after this id" */

/* `then` runs once; rows and answer live while it does. */
struct answer {
	int	 r;		/* 0, STORE_NONE or -1: no rows */
	size_t	 n;		/* rows */
	int64_t	 total;		/* of a list: on all pages */
	struct walked walked;
	union {
		const void			*any;
		const struct system_row		*system;
		const struct org_row		*org;
		const struct token_row		*token;
		const struct revoked_row	*revoked;
		const struct session_row	*session;
		const struct group_row		*group;
		const struct access_row		*access;
		const struct audit_row		*event;
		const struct document		*document;
		const struct added_row		*added;
		const struct system_detail	*detail;
		const struct system_id		*id;
		const struct reference_row	*reference;
		const struct recording_row	*recording;
		const struct recording_sum	*recordings;
		const struct relay_row		*relay;
		const struct consumed_row	*consumed;
		const struct member_row		*member;
		const struct at_row		*at;
		const struct loss_row		*loss;
		const struct elsewhere_row	*elsewhere;
		const struct guest_row		*guest;
		const struct present_row	*present;
	};
};
typedef void (*store_then)(const struct answer *, void *arg);

/*
 * What the question points to is needed during the call only. Returns NULL when
 * `then` has been called already (also when memory ran out, or the asker has
 * too many that wait: r is -1), else what store_cancel() takes until then. An
 * answer that does not come in time is -1.
 */
struct store_call;
struct store_call	*store_ask(const struct question *, store_then,
			    void *arg);
/* The asker has gone: `then` will not be called. */
void			 store_cancel(struct store_call *);
/* How many wait. */
unsigned		 store_waiting(void);
#ifdef RELAYD_TESTING
/* Answer every question in a later turn, as a server's store does. */
void			 store_set_late(void);
#endif

/* --- systems --- */

struct system_row {
	char	id[ID_SIZE], name[NAME_SIZE], key[SYSKEY_SIZE];
	char	secret_public[SECRET_PUBLIC_SIZE];
	char	secret_stored[SECRET_STORED_SIZE];
	char	org_id[ID_SIZE], type[WORD_SIZE];
	int	support_enabled;
	int64_t	suspended_at, deleted_at, created_at, registered_at;
};

struct system_id {
	char	id[ID_SIZE];
};

/* What only those see who look at systems. */
struct system_more {
	char	notes[NOTES_SIZE], custom_data[CUSTOM_SIZE];
	char	version[WORD_SIZE];
	/* who made it: an operator, "" nobody */
	char	created_by[ID_SIZE], created_by_name[NAME_SIZE];
	char	created_by_org[ID_SIZE];
	int64_t	updated_at;
};

struct system_detail {
	struct system_row	row;
	struct system_more	more;
	char	org_name[NAME_SIZE], org_type[WORD_SIZE];
	/* one that is open, at whatever member: the first node's; "" none */
	char	session[UUID_SIZE];
};

/*
 * `more` may be NULL. One without registered_at has no secret that works yet.
 */
int	store_system_add(const struct system_row *, const struct system_more *);
/* What is NULL stays. */
struct system_change {
	const char	*name, *org_id, *notes, *custom_data;
};
int	store_system_change(const char *id, const struct system_change *,
	    int64_t now);
/* Another secret; `registered` or not, else only while it is not. */
int	store_system_secret(const char *id, const char *public,
	    const char *stored, int registered, int64_t now);
/* It has its secret: registered, and support is enabled. */
int	store_system_register(const char *id, int64_t now);
int	store_system_enable(const char *id, int enabled, int64_t now);
int	store_system_suspend(const char *id, int suspended, int64_t now);
int	store_system_delete(const char *id, int64_t now);

/* --- revocations --- */

struct token_row {
	char	id[ID_SIZE], user[ID_SIZE], org_id[ID_SIZE];
	char	org_role[WORD_SIZE], permissions[MESSAGE_SIZE];
	int64_t	created_at, expires_at;
	int	revoked;		/* itself, or its user */
};

/* Those that are over go. */
int	store_token_add(const struct token_row *);

/* `kind` is token or user; again: what is said last counts. */
int	store_revoke(const char *kind, const char *id, int64_t until,
	    const char *reason);

/*
 * Systems that match, in order of the sort key (unknown: created_at) and id.
 * `status` has bits of enum system_state, none: all but the deleted; of the
 * lists, a line for each, any counts; what is "" matches all.
 */
struct system_query {
	char		org_role[WORD_SIZE], org_id[ID_SIZE];	/* the caller */
	char		search[NAME_SIZE], name[NAME_SIZE], key[SYSKEY_SIZE];
	char		types[MANY_SIZE], versions[MANY_SIZE];
	char		orgs[MANY_SIZE], created_by[MANY_SIZE];
	uint32_t	status;
	int		descending;
	char		sort_by[WORD_SIZE];
	struct walked	walked;
};

/* --- what stands for a proxy token --- */

struct reference_row {
	char	id[HEX64_SIZE];		/* refer_hash() */
	char	session_id[UUID_SIZE], operator_id[ID_SIZE];
	char	sealed[REFER_SEALED_SIZE];
	int64_t	expires_at;		/* seconds, as the token says it */
};

/*
 * It may be there already. Those of its operator and session that are many go.
 */
int	store_reference_add(const struct reference_row *, int64_t now);

/* --- organizations --- */

struct org_row {
	char	id[ID_SIZE], name[NAME_SIZE], type[WORD_SIZE], parent[ID_SIZE];
};

int	store_org_add(const struct org_row *, int64_t now);
int	store_org_delete(const char *id, int64_t now);

/* --- sessions --- */

struct session_row {
	char	id[UUID_SIZE], system_id[ID_SIZE], node[NODE_SIZE];
	char	token_hash[HEX64_SIZE];
	char	reconnect_hash[HEX64_SIZE], reconnect_prev[HEX64_SIZE];
	int64_t	started_at, expires_at, closed_at, created_at, updated_at;
	int64_t	diagnostics_at;
	uint64_t diagnostics_len, users_len;
	int	users_good;		/* they have credentials */
	/* overall_status of diagnostics that are not large; read only */
	char	health[WORD_SIZE];
	int	status;			/* enum session_status */
	char	closed_by[WORD_SIZE];	/* "" nobody yet */
	uint64_t generation;
	/* of a cluster */
	char	member[MEMBER_SIZE];	/* that has its tunnel, "" none */
	int64_t	grace_at;		/* the store's time: closed then; 0 */
	uint64_t leave_s;		/* no member has it any more, for so long */
};

/*
 * STORE_TAKEN: the store has another open one of the slot. Who learns it from a
 * later answer says so before the commit's `then`.
 */
int	store_session_insert(const struct session_row *);
/*
 * Everything of the row that changes in its life; clears users at the end. Of a
 * member what another has written since stands, and it is taken in the same
 * way; an end of it is then nothing.
 */
int	store_session_update(const struct session_row *);
int	store_session_diagnostics(const char *id, const char *json, size_t len,
	    int64_t now);

int	store_session_users(const char *id, const char *sealed,
	    int credentials, int64_t now);

/*
 * Its services that other members have to know, as JSON; NULL: there are none.
 * Of one that is open, and that no other member has: else nothing is written,
 * and nobody hears of that. They stand until they are written anew, and go
 * with the member that has the session, and at its end.
 */
int	store_session_services(const char *id, const char *json, size_t len,
	    int64_t now);

/* JSON as it was reported, what is no JSON is not there; or sealed text. */
struct document {
	int64_t	at;
	char	session[UUID_SIZE];
	char	status[WORD_SIZE];	/* overall_status of diagnostics */
	size_t	len;
	char	text[];
};

/* --- services that operators add --- */

struct added_row {
	char	name[SERVICE_SIZE], target[TARGET_SIZE], label[LABEL_SIZE];
	char	added_by[ID_SIZE];
	int	tls, tcp;
	int64_t	added_at;
};

/* One of the name is replaced. They go with their session. */
int	store_added_put(const char *session, const struct added_row *);
int	store_added_del(const char *session, const char *name);

/* --- the list of sessions, a group per system --- */

#define STATUS_BIT(status)	(1U << (status))
#define STATUS_ALL		0x0fU

struct list_query {
	char		org_role[WORD_SIZE], org_id[ID_SIZE];
	char		system_id[ID_SIZE];	/* "" all */
	uint32_t	statuses;		/* STATUS_BIT()s */
	char		sort_by[WORD_SIZE];	/* unknown: created_at */
	int		descending;
	uint32_t	page, page_size;
	struct walked	walked;			/* on the way to a late page */
};

struct revoked_row {
	char	kind[WORD_SIZE];	/* token, user */
	char	reason[MESSAGE_SIZE];
};

/* A system for those who look at its sessions, and its organization. */
struct brief {
	char	name[NAME_SIZE], type[WORD_SIZE], key[SYSKEY_SIZE];
	char	org_id[ID_SIZE], org_name[NAME_SIZE], org_type[WORD_SIZE];
};

struct group_row {
	char	system_id[ID_SIZE];
	int	has_system;		/* else the store does not know it */
	struct brief system;
	int64_t	started_at, expires_at;
	int	status;
	int64_t	sessions, nodes;
};

/* --- members of a cluster --- */

#define MEMBER_GONE_MS	20000	/* whose beat is older is gone */

/* Times are the store's. */
struct member_row {
	char	name[MEMBER_SIZE], address[PEER_SIZE], version[WORD_SIZE];
	uint16_t port;
	int	draining;
	int64_t	started_at, beat_at;
	int64_t	silent_ms;		/* since its beat */
	uint64_t tunnels, sessions, forwarded_in, forwarded_out;
};

/* Which of them has something. */
struct at_row {
	char	member[MEMBER_SIZE];
};

/* It is there; `fresh`: it has just started. */
int	store_member_beat(const struct member_row *, int fresh);
/* It has gone in order. */
int	store_member_gone(const char *name);
/*
 * What members had that are silent for `gone_ms` waits for its clients for so
 * long; what has waited in vain is over. One member at a time, and not more
 * often than each few seconds, whoever asks for it.
 */
struct sweep {
	uint64_t	gone_ms, grace_ms, startup_ms;
};
int	store_member_sweep(const struct sweep *);

/* A session that is open, and not ours; in brief, with its system. */
struct elsewhere_row {
	char	id[UUID_SIZE], node[NODE_SIZE], member[MEMBER_SIZE];
	char	system[NAME_SIZE], key[SYSKEY_SIZE];
	int	status;			/* enum session_status */
	int64_t	started_at, expires_at;
};

/*
 * An open session that another member has, of a system of which we have one,
 * too.
 */
struct guest_row {
	char	id[UUID_SIZE], system_id[ID_SIZE], node[NODE_SIZE];
	char	member[MEMBER_SIZE];
	int	status;			/* enum session_status */
	int64_t	expires_at;
	/* of its services, grows with each write, 0: it has none */
	int64_t	services_at;
};

/* Who is in a session through that member, which may be gone. */
#define STORE_PRESENT	100	/* of one system, and no more */
struct present_row {
	char	session[UUID_SIZE], member[MEMBER_SIZE];
	char	operator_id[ID_SIZE], operator_name[NAME_SIZE];
};

/* A session that a member was taken, and the generation that it has since. */
struct loss_row {
	char		session[UUID_SIZE];
	uint64_t	generation;
};
int	store_loss_seen(const struct loss_row *);

/* --- access log, audit --- */

#define STORE_LOGS	50000	/* of one session, that can be listed */

struct access_row {
	char	id[UUID_SIZE], session_id[UUID_SIZE];
	char	operator_id[ID_SIZE], operator_name[NAME_SIZE];
	char	type[WORD_SIZE];	/* ui_proxy, web_terminal */
	char	org_role[WORD_SIZE], org_id[ID_SIZE];
	/* whose it is, also where the metadata had no room */
	char	service[SERVICE_SIZE], ip[ADDR_SIZE];
	char	token_id[ID_SIZE], impersonator[ID_SIZE];
	char	request[REQUEST_SIZE];	/* that it began with */
	int64_t	connected_at, disconnected_at;
	/* what became of it */
	uint64_t bytes_in, bytes_out;
	char	outcome[MESSAGE_SIZE];	/* "" none yet */
};

int	store_access_insert(const struct access_row *);
int	store_access_update(const struct access_row *);

/* --- relay sessions --- */

/* Times are ms since 1970; tokens as hashes, in hex. */
struct relay_row {
	char		id[UUID_SIZE];
	char		initiator[HEX64_SIZE], responder[HEX64_SIZE];
	uint32_t	channels;
	char		issuer[URL_SIZE], subject[ID_SIZE], client[ID_SIZE];
	char		addr[ADDR_SIZE], label[WORD_SIZE];
	int64_t		created_at, expires_at, moved_at;
	uint64_t	bytes_in, bytes_out;
	char		member[MEMBER_SIZE];	/* read only; "" nobody */
};

/* A new one, which is ours. */
int	store_relay_add(const struct relay_row *);
/*
 * What has moved of one; it goes. Of a member: as long as it is its own, else
 * nothing is written, and nobody hears of that.
 */
int	store_relay_save(const struct relay_row *);
int	store_relay_del(const char *id);
/*
 * It is ours, if it still is that member's ("": nobody's), that one is gone by
 * the store's clock, and it has not ended by `now` (ms). Whether it is now,
 * ASK_RELAY says.
 */
int	store_relay_take(const char *id, const char *member, int64_t now);
/* It is nobody's, if it is ours. */
int	store_relay_leave(const char *id);
/* Those go that ended before then (ms), and are of nobody who is alive. */
int	store_relay_sweep(int64_t before);

/* --- tokens of pairing that have been used --- */

/* The SHA-256 of a token's id, in hex; until then it is remembered, wall ms. */
struct consumed_row {
	char	id[HEX64_SIZE];
	int64_t	until;
};

/*
 * Used at `now`, until `keep_ms` later; of a member, by the store's clock. One
 * whose time is over can be used again. STORE_TAKEN: it is used already; with a
 * server store_on_taken() hears of that, before the commit's `then`.
 */
int	store_consumed_add(const char *id, int64_t now, int64_t keep_ms);

/* --- recordings of terminals --- */

/*
 * Its id is that of the terminal's row in the access log, and its file's name.
 * It outlives session and log. One that was found without a row may have no
 * session and no operator.
 */
struct recording_row {
	char	id[UUID_SIZE], session_id[UUID_SIZE];
	char	operator_id[ID_SIZE], operator_name[NAME_SIZE];
	int64_t	started_at, ended_at;
	uint64_t bytes;			/* once ended: whole lines of it */
	char	sha256[HEX64_SIZE];	/* of these, "" nobody knows */
};

/* Of those that have ended. */
struct recording_sum {
	int64_t	n, bytes;
};

int	store_recording_add(const struct recording_row *);
/* ended_at, bytes and sha256 of it. */
int	store_recording_end(const struct recording_row *);
/* A file of this time and size, of which there is no row. */
int	store_recording_adopt(const char *id, int64_t at, uint64_t bytes);
int	store_recording_del(const char *id);

#define STORE_EVENTS	200	/* in one answer */

/*
 * An event of the audit log. It never changes once it is written: each carries
 * the hash of the one before it in its chain (chain.h). What was done and what
 * was refused are chains of their own, so that a flood of refusals pushes out
 * refusals.
 */
enum audit_chain {
	CHAIN_NONE,		/* from before there were chains */
	CHAIN_DONE,
	CHAIN_REFUSED,
	CHAIN_COUNT
};
#define CHAIN_NAME_SIZE	48	/* "done-" and 32 hex digits */
#define AUDIT_HASH_SIZE	32	/* SHA-256 */
#define AUDIT_UNSAID	(-1)	/* a number that is NULL */

struct audit_row {
	/* its place, which store_audit() fills in */
	int64_t	event;			/* counts all events of the store */
	int	chain;			/* enum audit_chain, or wrong */
	char	chain_name[CHAIN_NAME_SIZE];
	int64_t	seq;			/* in its chain, from 1 */
	uint8_t	prev[AUDIT_HASH_SIZE], hash[AUDIT_HASH_SIZE];
	int	is_odd;			/* has what relayd does not write */
	/* what it says; text "" and numbers AUDIT_UNSAID: nothing */
	int64_t	at;
	int64_t	count;			/* how many it stands for */
	int64_t	duration_ms, bytes_in, bytes_out;
	char	actor[ID_SIZE], impersonator[ID_SIZE], token_id[ID_SIZE];
	char	address[ADDR_SIZE], action[WORD_SIZE];
	char	session[UUID_SIZE], service[SERVICE_SIZE], access[UUID_SIZE];
	char	object[ID_SIZE], request[WORD_SIZE];
	char	outcome[WORD_SIZE], reason[MESSAGE_SIZE];
};

/* Append it: all of it but its place is set. */
int	store_audit(struct audit_row *);

/*
 * While somebody walks along the chains nothing of them goes because of age or
 * number. A store that is nearly full takes all the same: how often something
 * has gone.
 */
void		store_audit_hold(int on);
/*
 * Has something had to wait for that, which has not gone yet? Then nobody
 * begins.
 */
int		store_audit_owed(void);
unsigned long	store_audit_purged(void);
/* The number of a chain's newest event in it; 0: not known yet. */
uint64_t	store_audit_head(enum audit_chain);

#endif
