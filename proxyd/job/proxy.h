/* SPDX-License-Identifier: ISC */
#ifndef PROXY_H
#define PROXY_H

#include "http/head.h"
#include "proxyd/door/buf.h"
#include "proxyd/door/conn.h"
#include "proxyd/door/route.h"
#include "proxyd/grant.h"
#include "proxyd/http/flow.h"
#include "proxyd/http/lenient.h"
#include "proxyd/http/stage.h"
#include "proxyd/http/urlmap.h"
#include "proxyd/session.h"
#include "proxyd/upstream.h"

/*
 * The job of the subdomain proxy: one request to a customer's service and its
 * answer. proxy.c finds token, grant and stream, in the order of
 * operator-api.md, 7.2; then the exchange runs: up.c (the browser's bytes to
 * the service), down.c (the service's answer to the browser).
 */

enum proxy_step {
	PROXY_TOKEN,		/* which token authd says yes to */
	PROXY_SIBLING,		/* and whether to the path's session, too */
	PROXY_STREAM,		/* a stream to the service */
	PROXY_EXCHANGE,		/* request and answer */
	PROXY_RAW		/* bytes both ways, behind a 101 */
};

/* The exchange with the service. */
struct exch {
	struct flow		 up, down;
	struct lenient		 scan;	/* of the response head */
	struct buf		*head;	/* of the request head, not written */
	char			*origin;	/* a sibling's, for CORS */
	char			*dir;	/* the default path of its cookies */
	struct stages		 stages;	/* the answer's body goes through */
	unsigned int		 interims;	/* 1xx so far, their bytes */
	size_t			 interim_len;
	int			 method;
	enum { X_LINE, X_HEAD, X_HOLD, X_BODY } phase;
	struct hold		*hold;		/* its body, or NULL: hold.h */
	unsigned int		 upgrade:1, http10:1, keep:1, repeatable:1,
				 up_failed:1, responded:1, reuse:1, started:1,
				 told_https:1;	/* the service was */
};

/* The last token that was right: the next request compares bytes only. */
struct memo {
	struct grant	*g;
	char		*token;
	size_t		 len;
	char		 slug[SLUG_SIZE];
	int		 bearer;
};

/* Made for a connection's first request, and kept for the next ones. */
struct proxy {
	struct conn		*c;
	enum proxy_step		 step;
	int			 retried;	/* a kept stream was dead */
	/*
	 * Ask for a stream anew and say the request again; nothing has been
	 * said to the browser yet.
	 */
	void			(*again)(struct proxy *);
	/* the request, parsed and checked once */
	struct route_to		 to;
	int			 from_sibling;	/* its Origin is one's */
	/* by the path proxy, which has an operator's token and a name */
	enum { BY_HOST, BY_PATH, BY_INTERNAL } by_path;
	struct slice		 bearer;	/* while c->head_len is set */
	/* authd has said yes to bearer; NULL, or 1: it goes on, 0: answered */
	int			(*granted)(struct proxy *, const struct grant *);
	/* on the internal interface: bearer's; is there a browser's host? */
	char			*internal;
	int			 named, unnamed;
	enum { WANTS_SERVICE, WANTS_LIST, WANTS_TERMINAL } wants;
	char			 service[SERVICE_SIZE];
	struct httphead		*head;		/* while c->head_len is set */
	unsigned int		 settings;	/* under which it was checked */
	/* tokens that authd said no to, and its last word */
	unsigned int		 tried;
	int			 asked;		/* authd, about any of them */
	int			 refused;
	char			*refusal;
	char			*cookies;	/* Set-Cookie lines, or NULL */
	/*
	 * Where the path leads: a sibling of the host's session, or "". One
	 * that would not have it is not asked again.
	 */
	char			 sibling[UUID_SIZE];
	unsigned int		 astray;
	/* what is asked and held */
	struct session		*se;		/* the host's, or NULL */
	struct grant_wait	 wait;
	struct upstream_ask	 ask;
	struct upstream_user	 use;
	struct exch		 x;
	struct memo		 memo;
};

/* A request for a proxied host. */
void	proxy_begin(struct conn *, const struct httphead *,
	    const struct route_to *);
/* The connection's, with a copy of this head, waiting; NULL: answered. */
struct proxy	*proxy_take(struct conn *, const struct httphead *);
/* The request is another job's from here on: what it held is let go of. */
void	proxy_leave(struct proxy *);
/* A request for the path proxy: path.c. 0: it is none. */
int	path_begin(struct conn *, const struct httphead *);
int	path_service_is_good(const struct slice *);
/* Does the browser not have the service under a host of ours? */
#define proxy_has_no_host(p)	((p)->by_path != BY_HOST && !(p)->named)
/* The configuration has changed: what waits looks at its host again. */
void	proxy_reloaded(void);

/* ---- how browser and service call each other: names.c ---- */

/* What the proxy's hosts are called, as the configuration is now. */
struct origin_at	proxy_at(const struct proxy *);

/* What the host's session leads to, good for this turn; a stream is held. */
struct names {
	struct origin_at	at;
	struct urlmap		map;
};
const struct urlmap *proxy_names(struct names *, const struct proxy *);

/* ---- cookies: jar.c ---- */

/*
 * Set-Cookie lines with this token, or what stands for it, for what is lacking
 * (COOKIE_LACKS_*), and for other cookies of the request. Bytes without the
 * NUL, or -1: no room.
 */
#define JAR_MAX	(2 * TOKEN_SIZE + 8192)
long	jar_lines(const struct proxy *, int lacking, const struct slice *token,
	    const struct grant *, char *out, size_t size);
/* It has come with a cookie that is right: what should go with the answer. */
void	jar_refresh(struct proxy *, const struct grant *);
void	jar_clear(struct proxy *);
/* Which of the request's cookies the service may see, good for this turn. */
struct sieve	*jar_sieve(const struct proxy *);
/*
 * A head that is too long for us: lines that take away what other pages may
 * have put there. NULL: it has no proxied host, or nothing of the kind.
 */
const char	*jar_overlong(const struct buf *);

/* ---- the exchange: up.c ---- */

/*
 * Begin, busy with p->use.st: write the request. `sv` NULL: not in the table.
 */
void	up_begin(struct proxy *, const struct service *sv);
/* Write what is there for the service; read on when it is out. */
void	up_pump(struct proxy *);
/* The browser's socket, and the stream's room. */
void	up_readable(struct proxy *);
void	up_writable(struct proxy *);
/* A kept stream was dead: 1 when the request is said again, else 0. */
int	up_retry(struct proxy *);

/* ---- down.c ---- */

void	down_readable(struct proxy *);
void	down_writable(struct proxy *);
/* The stream has broken, and the browser has not all that came before. */
void	down_broken(struct proxy *);

/* ---- the ends: end.c ---- */

/* Both sides have what they should: keep or close each of them. */
void	exch_done(struct proxy *);
/* No answer has gone out yet: give this one; else cut. */
void	exch_fail(struct proxy *, int status, const char *message);
/* Something has gone out that is not whole: the browser has to see that. */
void	exch_cut(struct proxy *, const char *why);
/* How long it may be silent from here, the reply line still to come or not. */
void	exch_deadline(struct proxy *);
/* Bytes have moved: it is not idle. */
void	exch_moved(struct proxy *);
/* Let go of the stream and what the exchange holds. */
void	exch_let_go(struct proxy *);

#endif
