/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_API_H
#define AUTHD_API_H

#include <sys/queue.h>

#include "api/api.h"
#include "imsg/imsg.h"
#include "authd/core/refusal.h"
#include "authd/cred/jwt.h"
#include "authd/facts.h"
#include "imsg/msg.h"
#include "authd/msg/peer.h"

struct cJSON;
struct service;
struct session;

/* One call of the operator API, as proxyd has taken it apart. */
struct api_call {
	TAILQ_ENTRY(api_call)	entry;	/* of those that wait */
	struct asker	asker;
	enum refusal	no;		/* what its token says */
	int		begun;
	int		gone;		/* nobody wants to hear it any more */
	uint8_t		op;
	uint8_t		invalid;	/* proxyd knows what is wrong */
	int		internal;	/* a back end asks */
	char		addr[ADDR_SIZE];
	char		session[UUID_SIZE];
	struct api_args	args;
	uint64_t	until_ms;	/* 0: whoever asks waits for ever */
	struct operator	who;
};

/*
 * What a row of api.def has in authd, api_<word>, in the file of its resource:
 * the facts that it decides over, and the handler, which answers once.
 */
struct api_handler {
	void		(*fn)(struct api_call *, const struct facts *);
	unsigned	needs;
};
#define API_SEES	(NEED_SESSION | NEED_VISIBLE)	/* the call's session */
#define A(NAME, method, pattern, needs, body, word, text, params)	\
extern const struct api_handler	api_##word;
#include "api/api.def"
#undef A

/* system.c: what calls about systems answer. */

struct system_detail;
/*
 * A system as it is shown; with its secret, or NULL. Its key is shown once it
 * has registered, and to who has `made` it.
 */
struct cJSON	*api_system(const struct system_detail *, const char *secret,
		    int made);
/*
 * Once this turn's writes are in the store: the system as it is then, or why
 * not; status 200 or 201. A secret that is shown with it, NULL: none.
 */
void	api_system_tell(const struct api_call *, const char *id, int status,
	    const char *secret);

/* session.c */

/* The session if it is open; one that is overdue ends by being asked for. */
struct session	*api_open(const struct api_call *);
/*
 * Its row, and *sep if it is open, when there is one and the caller may see it.
 */
enum refusal	 api_session(const struct api_call *, const struct facts *,
		    struct session_row *, struct session **sep);
/* A visible, active session; NULL: the refusal is sent. */
struct session	*api_active(const struct api_call *, const struct facts *);

/*
 * The service that the call names, of a session that is active; NULL: the
 * refusal is sent.
 */
const struct service	*api_service(const struct api_call *,
			    const struct session *);

/* added.c: calls that wait for a client are looked at again: recheck_also(). */
void	 api_changes_recheck(void);

/* answer.c */

/* Has who asks given up, or gone? Then nothing is done, and nobody hears. */
int	api_is_gone(const struct asker *, uint64_t until_ms);
/*
 * Has the asker more to read already than is good? Looked at when a question
 * comes, and again before the answer: others may have been answered since.
 */
int	api_is_busy(const struct asker *);
/* 200, or 201, with the text that api.def has for it; `data` is freed. */
void	api_yes(const struct asker *, unsigned op, struct cJSON *data);
void	api_made(const struct asker *, unsigned op, struct cJSON *data);
/* No; `data` (may be NULL) is freed. Without an audit event. */
void	api_no(const struct asker *, enum refusal, struct cJSON *data);
/* The same in somebody's own words. */
void	api_no_text(const struct asker *, int status, const char *text);
/* No, and an audit event. */
void	api_refuse(const struct api_call *, enum refusal);
void	api_refuse_with(const struct api_call *, enum refusal,
	    struct cJSON *data);
/* What the call asked for was done, or is in this turn: an audit event. */
void	api_done(const struct api_call *, const char *more);
/*
 * The caller may, but not with these parameters: refused, and proxyd says which
 * one is wrong.
 */
void	api_invalid(const struct api_call *, enum refusal);

/*
 * Which page is asked for, `dflt` long unless the caller says: the rest of the
 * query is empty. And what the answer says of it.
 */
void	api_page(const struct api_call *, uint32_t dflt, struct list_query *);
void	api_add_pagination(struct cJSON *data, const struct list_query *,
	    int64_t total);

/* A status that diagnostics may have, or "" for what is none. */
const char *api_health(const char *);

/* A time as RFC 3339 in UTC, into 32 bytes; returns dst. */
char	*api_time(int64_t ms, char dst[32]);
void	api_add_time(struct cJSON *, const char *name, int64_t ms);
/* Members that a session and a group share. */
void	api_add_system(struct cJSON *, const struct brief *);

/*
 * The same as adding (`services`, a list as calls have it) or removing (`name`),
 * for who has no call: `told` is called once, perhaps before this returns, with
 * 200 or why not.
 */
typedef void (*api_order_fn)(void *arg, int status, const char *text);
void	api_services_order(const struct operator *, const struct session *,
	    const char *services, const char *name, api_order_fn, void *arg);

#endif
