/* SPDX-License-Identifier: ISC */
#ifndef MSG_H
#define MSG_H

#include <stddef.h>
#include <stdint.h>

#include "api/args.h"
#include "base/build.h"
#include "base/reference.h"
#include "base/request.h"
#include "proc/roles.h"
#include "wire.h"

struct chan;
struct imsg;

/*
 * The words of the messages between relayd's processes, and the messages
 * themselves as C: all of that is made from the one list in msg.def.
 */

/* Sizes of strings, with their NUL. */
#define ADDR_SIZE	64	/* a printed IP address, no port */
#define PEER_SIZE	128	/* where a member is: an address or a name */
#define MEMBER_SIZE	33	/* a member of a cluster: its name */
#define CLUSTER_MAX	64	/* members of one cluster */
#define MEMBERS_TEXT	(CLUSTER_MAX * MEMBER_SIZE + 1)	/* their names, a line each */
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

#define ISSUER_SIZE	256	/* the URL of an identity provider */
#define RULE_SIZE	288	/* one line about one, of relayd.conf(5) */
#define URL_SIZE	1025	/* an address in a document */
#define KID_SIZE	257	/* the name of a key of its */
#define ALG_SIZE	9	/* how it signs: "ES256" */

#define GIVE_BYTES_MAX	24576	/* bytes read before a connection is given */
#define CHUNK_MAX	30000	/* bytes in one *_CHUNK */
#define WHO_SIZE	256	/* an operator as logs name them, printable */
#define STREAM_TAG_MAX	512	/* what authd wants back in ANNOUNCE */
#define CTL_ARGS_MAX	12	/* words of one relayctl request */
#define ACME_MAX	32	/* challenges at once */
#define ACME_TOKEN_SIZE	129
#define ACME_TEXT_SIZE	257	/* a token, a dot, a hash of a key */
#define TLS_KEY_ID	32	/* SHA-256 of a public key (its DER form) */
#define TLS_TBS_MAX	256	/* what a handshake has to be signed */
#define TLS_SIG_MAX	1024	/* a signature */
#define TLS_TICKET_KEY	80	/* name, AES key, HMAC key */
#define TLS_TICKET_KEYS	3	/* at once: the first seals, all open */
#define CTL_CELLS_MAX	24	/* cells of one row */
#define CTL_WORD_SIZE	513	/* one word of a request, with NUL */
#define CTL_CELL_SIZE	TOKEN_SIZE	/* one cell, with NUL */

/* What has changed. */
enum event_kind {
	EVENT_SESSION,		/* one of this system */
	EVENT_SYSTEM,		/* itself */
	EVENT_ALL,		/* maybe everything */
	EVENT_KINDS
};

/* Can anybody be let in (USABLE)? While relayd drains not, and on purpose. */
enum usable { USABLE_NO, USABLE_YES, USABLE_DRAINS, USABLE_COUNT };

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

/* What a session is (tunnel-protocol.md, 6.1), and what that is called. */
#define SESSION_STATES							\
	SE(PENDING, "pending") SE(ACTIVE, "active") SE(CLOSED, "closed")	\
	SE(EXPIRED, "expired")
#define SE(NAME, name)	SESSION_##NAME,
enum session_status { SESSION_STATES SESSION_STATE_COUNT };
#undef SE

/* Forbidden calls that a test build's process tries (TRY). */
enum try_call {
	TRY_OPEN = 1, TRY_CONNECT, TRY_FORK, TRY_EXEC, TRY_PTRACE, TRY_KILL,
	TRY_COUNT
};

/* Sandbox layers that a child reports as applied (READY), and their words. */
#define SANDBOX_LAYERS							\
	L(USER, 0x01, "user") L(CHROOT, 0x02, "chroot")			\
	L(NNP, 0x04, "nnp") L(LANDLOCK, 0x08, "landlock")		\
	L(SECCOMP, 0x10, "seccomp") L(RLIMIT, 0x20, "rlimit")		\
	L(NODUMP, 0x40, "nodump")
#define L(NAME, bit, word)	SB_##NAME = (bit),
enum sandbox_layer { SANDBOX_LAYERS };
#undef L

#define LISTEN_INTERNAL	0x01
#define LISTEN_TUNNEL	0x02
#define LISTEN_READONLY	0x04	/* a control socket that changes nothing */
#define LISTEN_METRICS	0x08	/* metricd's */
#define LISTEN_PUBLIC	0x10	/* metricd's, and not only for this machine */
#define LISTEN_TLS	0x20	/* tlsd's */
#define LISTEN_PAIR	0x40	/* serves pairing, too */
#define LISTEN_ONLY	0x80	/* and nothing else */
#define LISTEN_ADMIN	0x100	/* of relay sessions, and nothing else */
#define LISTEN_NO_ADMIN	0x200	/* proxyd: there is one for that */
#define LISTEN_RELAY	0x400	/* rendezvous, with LISTEN_ONLY */
#define LISTEN_PROXY	0x800	/* first a PROXY header (net/brought.h) */
#define LISTEN_UNNAMED	0x1000	/* which has named nobody */
#define LISTEN_PEER	0x2000	/* of a cluster's members, and nobody else */
#define LISTEN_FORWARDED 0x4000	/* a member has passed it on: to go no further */
#define LISTEN_VOUCHED	0x8000	/* to which a trusted proxy had brought it */
#define LISTEN_LED	0x10000	/* for what its path leads to: nor after it */
/* What of these goes along with it. */
#define LISTEN_ALONG	(LISTEN_INTERNAL | LISTEN_TUNNEL | LISTEN_PAIR |	\
    LISTEN_ONLY | LISTEN_ADMIN | LISTEN_NO_ADMIN | LISTEN_RELAY |		\
    LISTEN_VOUCHED | LISTEN_LED)

/* Of what somebody else may be the holder (WHERE). */
enum forward_kind { FORWARD_SESSION, FORWARD_RELAY, FORWARD_PAIR,
    FORWARD_RECORDING, FORWARD_MEMBER, FORWARD_KINDS };
#define PEER_HEAD_MAX	256	/* the PROXY header of a member: 117 bytes */

/* Calls of the rendezvous admin API (RELAY), and its slots. */
enum relay_op { RELAY_CREATE = 1, RELAY_LIST, RELAY_SHOW, RELAY_DELETE,
    RELAY_DISCOVER, RELAY_HISTORY, RELAY_OP_COUNT };
enum relay_slot { SLOT_INITIATOR, SLOT_RESPONDER, SLOT_COUNT };
/*
 * A leg that can be taken up again (12.1): it begins, or is one that was lost.
 */
enum give_resume { RESUME_NOT, RESUME_FRESH, RESUME_AGAIN };
#define RELAY_CHANNELS	256	/* of a relay session, at most */

/*
 * KEYFILE: what HS256 is signed with; whom to trust with TLS (to dialerd); the
 * password of Redis; what is shared with a back end, and with the other members
 * of a cluster (cred/shared.h); whom to trust with the store's TLS.
 */
enum key_kind { KEY_JWT = 1, KEY_STORE, KEY_CA, KEY_REDIS, KEY_INTERNAL,
    KEY_INVALIDATE, KEY_STORE_CA, KEY_CLUSTER };

/* Public keys, as JWK_KEY has them: RFC 7518, 6; RFC 8037, 2. */
enum jwk_kind { JWK_RSA = 1, JWK_P256, JWK_P384, JWK_ED25519 };
/*
 * CERT: a chain of certificates, the key of the first of them; certificates of
 * who has to have signed those of other members.
 */
enum cert_kind { CERT_CHAIN = 1, CERT_KEY, CERT_CA };
/* Users: with credentials, or without any. */
enum report_kind { REPORT_DIAGNOSTICS = 1, REPORT_USERS, REPORT_USERS_BARE };

#define CTL_VERSION	4

/* Fixed descriptors of every child. */
#define PARENT_FD	3	/* channel to the parent */
#define LOG_FD		4	/* log lines to the parent */
/*
 * In the environment of a worker of one tunnel: malloc(3) keeps no freed blocks
 * aside, which hold pages that nothing else uses. Said before main() or not at
 * all (glibc; other libraries do not read it).
 */
#define LEAN_HEAP	"GLIBC_TUNABLES=glibc.malloc.tcache_count=0"

/* What comes with a message: no descriptor, one socket, one of any kind. */
enum msg_carries { CARRIES_NOTHING, CARRIES_SOCKET, CARRIES_FILE };

/* A LIST. */
#define MSG_LIST_MAX	CTL_CELLS_MAX
struct msg_list {
	uint32_t	 n;
	const char	*v[MSG_LIST_MAX];
};

#define E(NAME, name)
#define U8(name)		uint8_t name;
#define U16(name)		uint16_t name;
#define U32(name)		uint32_t name;
#define U64(name)		uint64_t name;
#define STR(name, size)		const char *name;
#define SECRET(name, size)	const char *name;
#define BLOB(name, max)		struct blob name;
#define LIST(name, many, size)	struct msg_list name;
#define M(NAME, name, carries, fields)					\
struct msg_##name { fields uint8_t end_; };
#include "msg.def"
#undef U8
#undef U16
#undef U32
#undef U64
#undef STR
#undef SECRET
#undef BLOB
#undef LIST
#undef M
#undef E

enum imsg_type {
	IMSG_NONE,
#define M(NAME, name, carries, fields)	IMSG_##NAME,
#define E(NAME, name)			IMSG_##NAME,
#include "msg.def"
#undef M
#undef E
	IMSG_COUNT
};

/* What the list says of a type; NULL when there is no such type. */
enum field_kind { FIELD_U8, FIELD_U16, FIELD_U32, FIELD_U64, FIELD_STR,
    FIELD_SECRET, FIELD_BLOB, FIELD_LIST };

/*
 * No pointer is in these tables: one that is has to be relocated, in memory
 * that every process then has for itself.
 */
struct msg_field {
	char		 name[20];
	enum field_kind	 kind;
	uint32_t	 offset;	/* in its struct */
	uint32_t	 max;		/* bytes of a text with NUL, of a blob */
	uint32_t	 many;		/* texts of a list */
};

struct msg_info {
	char			name[20];
	enum msg_carries	carries;
	uint32_t		min, max;	/* bytes of the fields */
};

const struct msg_info	*msg_info(uint32_t type);
/* Behind the last is one with no name (""): its offset is the size. */
const struct msg_field	*msg_fields(uint32_t type);

/*
 * The fields as bytes and back; pure. `m` is the type's struct msg_*.
 * msg_put: how many bytes, or -1 when they do not fit into `size` or one
 * crosses its limit; buf NULL: only count. msg_get: 0, or -1 when anything is
 * malformed or left over; texts and blobs are borrowed from the packet, which
 * lives while the handler runs.
 */
long	msg_put(uint32_t type, const void *m, uint8_t *buf, size_t size);
int	msg_get(uint32_t type, const uint8_t *buf, size_t len, void *m);
/* The same in another protocol (proto.h). */
long	msg_put_as(unsigned protocol, uint32_t type, const void *m,
	    uint8_t *buf, size_t size);
int	msg_get_as(unsigned protocol, uint32_t type, const uint8_t *buf,
	    size_t len, void *m);
/* One field of these, at its place in the struct; for other lists of fields. */
int	msg_put_field(struct wput *, const struct msg_field *, const void *);
int	msg_get_field(struct wget *, const struct msg_field *, void *);
/* For people: `grant=7 token=(12 bytes) why=2`, cut to size. No secret. */
void	msg_print(uint32_t type, const void *m, char *dst, size_t size);

/* What say_* and get_* below are made of, see there. */
int	chan_say(struct chan *, uint32_t type, uint32_t id, int fd,
	    const void *m);
/*
 * From now on this process ends where there is no memory to say what nobody has
 * asked for (id 0) or follows (EVENT): its successor tells all of it anew.
 * Otherwise, as for the parent, that channel ends. An answer of which a part
 * could not be said is not ended: who asked hears that it is late. A client
 * (ROLE_CLIENT), who has nobody else to hear that from, loses its channel.
 */
void	chan_must_say(void);
int	imsg_get(const struct imsg *, uint32_t type, void *m);

/*
 * say_NAME(chan, id, fd, &m): send it; `fd` (-1: none) is taken and closed once
 * sent. 0, or -1 when it did not fit, memory ran out or the channel has ended.
 * get_NAME(imsg, &m): 0, or -1: not the type or malformed. Types that are only
 * a name have say_NAME(chan, id) and get_NAME(imsg).
 */
#define M(NAME, name, carries, fields)					\
static inline int							\
say_##name(struct chan *c, uint32_t id, int fd, const struct msg_##name *m) \
{									\
	return (chan_say(c, IMSG_##NAME, id, fd, m));			\
}									\
static inline int							\
get_##name(const struct imsg *im, struct msg_##name *m)			\
{									\
	return (imsg_get(im, IMSG_##NAME, m));				\
}
#define E(NAME, name)							\
static inline int							\
say_##name(struct chan *c, uint32_t id)					\
{									\
	return (chan_say(c, IMSG_##NAME, id, -1, NULL));		\
}									\
static inline int							\
get_##name(const struct imsg *im)					\
{									\
	return (imsg_get(im, IMSG_##NAME, NULL));			\
}
#include "msg.def"
#undef M
#undef E

/* Printable names, never NULL. */
const char	*imsg_name(uint32_t type);
const char	*end_reason_name(unsigned reason);

#endif
