/* SPDX-License-Identifier: ISC */
#ifndef MSG_H
#define MSG_H

#include <stdint.h>

/*
 * Who says what: every message between relayd's processes, declared once. The
 * enum, the printable names and the tests' walk over the dispatch tables come
 * from the one list below. Layouts are written as in `u16 status, str message`;
 * u8 to u64 are integers, str a counted string (its limit with NUL is a *_SIZE
 * constant here), blob counted bytes. "-> NAME" names the answer, which carries
 * the request's id.
 */

enum role {
	ROLE_NONE, ROLE_PARENT, ROLE_CONTROL, ROLE_AUTHD, ROLE_PROXYD,
	ROLE_MUXD, ROLE_TERMD, ROLE_CLIENT,	/* relayctl, seen by control */
	ROLE_COUNT
};
#define ROLE_BIT(role)	(1U << (role))

/* What a connection is wanted for (ADMIT, GIVE). */
enum conn_class { CLASS_TUNNEL = 1, CLASS_TERMINAL };

/* Sizes of strings, with their NUL. */
#define ADDR_SIZE	64	/* a printed IP address, no port */
#define UUID_SIZE	37
#define SLUG_SIZE	33	/* a session id without its dashes */
#define SYSKEY_SIZE	129
#define SECRET_SIZE	257
#define NODE_SIZE	11	/* decimal digits, empty: no node */
#define TOKEN_SIZE	8193	/* a JWT or proxy token as presented */
#define TICKET_SIZE	129
#define HEX64_SIZE	65	/* 32 bytes in hex */
#define ACCEPT_SIZE	29	/* a Sec-WebSocket-Accept value */
#define SERVICE_SIZE	65
#define TARGET_SIZE	300	/* host:port */
#define HOST_SIZE	256
#define LABEL_SIZE	257
#define PATH_SIZE	1025
#define MODULE_SIZE	129
#define MESSAGE_SIZE	513	/* text for people: an error, a reason */
#define NAME_SIZE	257	/* of an operator, a system, an organization */
#define ID_SIZE		257	/* an opaque id of those */
#define WORD_SIZE	65	/* a word of the API: a sort key, a status */

#define GIVE_BYTES_MAX	24576	/* bytes read before a connection is given */
#define CHUNK_MAX	30000	/* bytes in one *_CHUNK */
#define STREAM_TAG_MAX	512	/* what authd wants back in ANNOUNCE */
#define CTL_ARGS_MAX	12	/* words of one relayctl request */
#define CTL_CELLS_MAX	24	/* cells of one row */
#define CTL_WORD_SIZE	513	/* one word of a request, with NUL */
#define CTL_CELL_SIZE	TOKEN_SIZE	/* one cell, with NUL */

/* Why a stream or a grant ended (STREAM_END, STREAM_KILL, GRANT_END). */
enum end_reason {
	END_CLEAN,		/* both directions finished */
	END_LOCAL,		/* the operator's side closed it */
	END_RESET,		/* the client reset it */
	END_REFUSED,		/* the client answered ERROR */
	END_TIMEOUT,		/* no reply line in time */
	END_TUNNEL,		/* the tunnel was lost */
	END_SESSION,		/* the session is over */
	END_GRANT,		/* the grant is over: revoked or expired */
	END_LIMIT,		/* a limit was crossed */
	END_COUNT
};

/* What a session is (tunnel-protocol.md, 6.1). */
enum session_status { SESSION_PENDING, SESSION_ACTIVE, SESSION_CLOSED,
    SESSION_EXPIRED };

/* One operator API call (API). */
enum api_op {
	API_SESSION_LIST = 1, API_SESSION_GET, API_SESSION_CLOSE,
	API_SERVICES, API_PROXY_TOKEN, API_TERMINAL_TICKET,
	API_OP_COUNT
};

/*
 * One relayctl request (CTL); control checks the number of words and forwards
 * it to the one who knows. Beside each: its words in order; a word in brackets
 * may be "" (not said). Who answers sends CTL_ROW once for the header (names of
 * the columns, lower case, one word each), once per row, then CTL_DONE; all
 * with the request's id. A request that prints nothing sends CTL_DONE only.
 */
enum ctl_op {
	/* authd */
	CTL_SHOW_SESSIONS = 1,	/* - */
	CTL_SHOW_TUNNELS,	/* - */
	CTL_SHOW_SERVICES,	/* session (uuid or slug) */
	/* parent */
	CTL_SHOW_PROCESSES,	/* - */
	/* authd */
	CTL_SHOW_STATS,		/* - ; columns name, value */
	CTL_CLOSE,		/* session */
	CTL_SYSTEM_ADD,		/* name, [organization id]; the row says id, key
				   and, this once, secret */
	CTL_SYSTEM_LIST,	/* - */
	CTL_SYSTEM_ENABLE,	/* key or id */
	CTL_SYSTEM_DISABLE,	/* key or id */
	CTL_SYSTEM_REMOVE,	/* key or id */
	CTL_ORG_ADD,		/* name, type (owner, distributor, reseller,
				   customer), [parent id]; the row says id */
	CTL_ORG_LIST,		/* - */
	CTL_ORG_REMOVE,		/* id */
	CTL_TOKEN_CREATE,	/* user, [organization id], [role],
				   [permissions, joined by commas],
				   [lifetime in seconds]; the row says token */
	/* parent */
	CTL_RELOAD,		/* - */
	CTL_LOG_VERBOSE,	/* - */
	CTL_LOG_BRIEF,		/* - */
	CTL_TEST_CLOCK,		/* test builds: ms to move every clock by */
	CTL_TEST_TRY,		/* test builds: instance, open | connect | fork
				   | exec | ptrace | kill */
	CTL_OP_COUNT
};

/* Forbidden calls that a test build's process tries (TRY). */
enum try_call {
	TRY_OPEN = 1, TRY_CONNECT, TRY_FORK, TRY_EXEC, TRY_PTRACE, TRY_KILL,
	TRY_COUNT
};

/* Sandbox layers that a child reports as applied (READY). */
#define SB_USER		0x01
#define SB_CHROOT	0x02
#define SB_NNP		0x04
#define SB_LANDLOCK	0x08
#define SB_SECCOMP	0x10
#define SB_RLIMIT	0x20
#define SB_NODUMP	0x40

#define IMSG_LIST(X)							\
	/* parent <-> every child, at start and later */		\
	/* blob of conf_pack() for the role */				\
	X(CONF)								\
	/* authd, proxyd: u32 flags (LISTEN_*), str address; fd */	\
	X(LISTENER)							\
	/* authd: u8 kind (KEY_*); an open file */			\
	X(KEYFILE)							\
	/* u32 uid, u32 gid, str root ("" none), u8 verbose: begin */	\
	X(START)							\
	/* child: u32 SB_* layers applied, ready to serve */		\
	X(READY)							\
	/* every child but authd: fd, the way to (a new) authd */	\
	X(CHANNEL)							\
	/* orderly stop: proxyd finishes, muxd and termd say 1001 */	\
	X(STOP)								\
	/* u8 verbose */						\
	X(LOGLEVEL)							\
	/* test builds: u64 ms forward */				\
	X(CLOCK)							\
	/* test builds: u8 TRY_* -> TRIED: i32 errno as u32, 0: it worked */ \
	X(TRY)								\
	X(TRIED)							\
	/* blob of conf_pack(): is it good? -> RELOAD_SAID */		\
	X(RELOAD)							\
	/* u8 yes, str why not */					\
	X(RELOAD_SAID)							\
	/* use what RELOAD said */					\
	X(RELOAD_SWAP)							\
									\
	/* connections on their way */					\
	/* proxyd->authd: u8 class, str addr, str session, str ticket,	\
	   str origin -> ADMITTED */					\
	X(ADMIT)							\
	/* u16 status (0: yes), u32 retry_after_s, str message,		\
	   u64 nonce, u64 instance (0: start one) */			\
	X(ADMITTED)							\
	/* proxyd->parent->worker: u8 class, u64 nonce, u64 instance,	\
	   str addr, str accept, blob bytes; fd */			\
	X(GIVE)								\
	/* parent->authd: u64 nonce, u64 instance, u8 role, u8 bound,	\
	   str system, str session, u64 generation; fd. bound only	\
	   after a new authd has started */				\
	X(SPAWNED)							\
	/* parent->authd, after a start: no more SPAWNED of old workers */ \
	X(SPAWNED_ALL)							\
	/* authd->parent: u64 instance, str system, str session,	\
	   u64 generation */						\
	X(BOUND)							\
	/* authd->parent: u64 instance, str reason: end that child */	\
	X(OFFENCE)							\
									\
	/* a tunnel */							\
	/* muxd->authd: u64 nonce, str key, str secret, str node,	\
	   str reconnect_token, str addr -> LOGIN_RESULT */		\
	X(LOGIN)							\
	/* u16 status (0: yes), u32 retry_after_s, str message,		\
	   str session, str reconnect_token, str system_id */		\
	X(LOGIN_RESULT)							\
	/* muxd->authd: yamux runs */					\
	X(UP)								\
	/* muxd->authd, authd->proxyd: u32 version, u32 count,		\
	   str session ("" from muxd) */				\
	X(SERVICES_BEGIN)						\
	/* str name, str target, str host, u8 tls, str label, str path,	\
	   str path_prefix, str module_id, str node_id */		\
	X(SERVICE)							\
	/* count of SERVICE has come: the table counts from now on */	\
	X(SERVICES_END)							\
	/* muxd->authd: u8 kind (REPORT_*), u32 total */		\
	X(REPORT_BEGIN)							\
	/* blob */							\
	X(REPORT_CHUNK)							\
	X(REPORT_END)							\
	/* muxd->authd -> USERS_BEGIN, CHUNK.., END as an API_RESULT */	\
	X(USERS_FETCH)							\
	/* muxd->authd: u32 MiB wanted -> CREDIT: u32 MiB given */	\
	X(CREDIT_ASK)							\
	X(CREDIT)							\
	/* muxd->authd: u32 MiB given back */				\
	X(CREDIT_BACK)							\
	/* muxd->authd, on change, at most every 15 s: u64 bytes_in,	\
	   u64 bytes_out, u32 rtt_us, u32 streams */			\
	X(TUNNEL_STATS)							\
	/* authd->muxd -> ALIVE: u8 alive */				\
	X(PROBE)							\
	X(ALIVE)							\
	/* authd->muxd, termd: u16 close code, str reason */		\
	X(CLOSE)							\
	/* muxd->authd on a new channel: u8 up, u32 streams */		\
	X(ANNOUNCE)							\
	/* u64 stream, str service, u64 in, u64 out, blob tag */	\
	X(ANNOUNCE_STREAM)						\
	X(ANNOUNCE_END)							\
									\
	/* grants and streams */					\
	/* proxyd->authd: str token, str slug, str addr -> GRANTED; the	\
	   session's SERVICES_* come before the answer */		\
	X(GRANT)							\
	/* u16 status (0: yes), str message, u64 grant, str session,	\
	   str operator, u64 expires (wall, s), u32 idle_max */		\
	X(GRANTED)							\
	/* authd->proxyd: u64 grant, u8 END_* */			\
	X(GRANT_END)							\
	/* proxyd->authd: u64 grant: not used any more */		\
	X(GRANT_DROP)							\
	/* proxyd->authd: u64 grant, str service -> STREAM_OPENED;	\
	   authd->muxd: u64 stream, str service, blob tag; fd */	\
	X(STREAM_OPEN)							\
	/* u16 status (0: yes), str message, u64 stream; fd */		\
	X(STREAM_OPENED)						\
	/* the same without a descriptor: refused */			\
	X(STREAM_REFUSED)						\
	/* muxd->authd: u64 stream, u8 END_*, u64 in, u64 out */	\
	X(STREAM_END)							\
	/* authd->muxd: u64 stream, u8 END_* */				\
	X(STREAM_KILL)							\
	/* authd->proxyd: str session -> IDLE_DROPPED: u32 streams */	\
	X(IDLE_DROP)							\
	X(IDLE_DROPPED)							\
									\
	/* a terminal */						\
	/* authd->termd: u64 stream, str session, u32 idle_s; fd */	\
	X(TERM_STREAM)							\
	/* authd->termd: u16 status, str message: answer before 101 */	\
	X(TERM_REFUSE)							\
	/* termd->authd: u8 END_*, str text */				\
	X(TERM_END)							\
									\
	/* the operator API */						\
	/* proxyd->authd: u8 op, str token, str addr, str session,	\
	   str service, u32 page, u32 page_size, str sort_by,		\
	   u8 descending, u32 status mask (1 << enum session_status,	\
	   0: any), str system_id					\
	   -> API_RESULT, API_CHUNK.. */				\
	X(API)								\
	/* u16 status, str message, u32 total bytes of JSON data (0:	\
	   null), then as many API_CHUNK with the same id */		\
	X(API_RESULT)							\
	/* blob */							\
	X(API_CHUNK)							\
									\
	/* relayctl: client->control->authd or parent */		\
	/* u32 version, u16 op, u8 words, str word.. */			\
	X(CTL)								\
	/* u8 cells, str cell..; the first row is the header */		\
	X(CTL_ROW)							\
	/* u16 code (0: done, else like an HTTP status: 400, 404, 409,	\
	   503, 505 wrong CTL_VERSION), str text */			\
	X(CTL_DONE)

enum imsg_type {
	IMSG_NONE,
#define X(name) IMSG_##name,
	IMSG_LIST(X)
#undef X
	IMSG_COUNT
};

#define LISTEN_INTERNAL	0x01
#define LISTEN_TUNNEL	0x02

enum key_kind { KEY_JWT = 1, KEY_STORE };
enum report_kind { REPORT_DIAGNOSTICS = 1, REPORT_USERS };

#define CTL_VERSION	1

/* Fixed descriptors of every child. */
#define PARENT_FD	3	/* channel to the parent */
#define LOG_FD		4	/* log lines to the parent */

/* Printable names, never NULL. */
const char	*imsg_name(uint32_t type);
const char	*role_name(int role);
const char	*end_reason_name(unsigned reason);

#endif
