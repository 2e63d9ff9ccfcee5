/* SPDX-License-Identifier: ISC */
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "exchange.h"
#include "http/head.h"
#include "via.h"

#define HEAD_MAX	(16 * 1024)	/* of the proxy's answer */
#define REQUEST_MAX	(PROXY_BASIC_SIZE + 2 * URL_HOST_SIZE + 256)

struct via {
	const struct proxy	*proxy;
	dial_fn			 fn;
	void			*arg;
	char			 host[URL_HOST_SIZE];
	uint16_t		 port;
	struct dial		*dial;		/* the proxy, or TLS over it */
	struct sock		 sock;
	struct timer		 timer;
	struct exchange		 exchange;
	char			 request[REQUEST_MAX];	/* wiped */
	char			 head[HEAD_MAX];
};

static void	via_dialed(void *, struct sock *, const char *);
static void	via_answered(void *, const struct httphead *, const char *);
static void	via_open(struct via *);
static void	via_secured(void *, struct sock *, const char *);
static void	via_timeout(void *);
static void	via_fail(struct via *, const char *);
static void	via_free(struct via *);

/* 0, or -1 when it does not fit. */
static int
request_make(struct via *v, const char *agent)
{
	const char	*basic = v->proxy->basic;
	char		 at[URL_HOST_SIZE + 16];
	int		 n;

	snprintf(at, sizeof(at), strchr(v->host, ':') != NULL ? "[%s]:%u" :
	    "%s:%u", v->host, v->port);
	n = snprintf(v->request, sizeof(v->request), "CONNECT %s HTTP/1.1\r\n"
	    "Host: %s\r\n"
	    "User-Agent: %s/" RELAYD_VERSION "\r\n"
	    "%s%s%s\r\n", at, at, agent, *basic == '\0' ? "" :
	    "Proxy-Authorization: Basic ", basic, *basic == '\0' ? "" : "\r\n");
	v->exchange.request_len = (size_t)n;
	return (n < 0 || n >= (int)sizeof(v->request) ? -1 : 0);
}

struct via *
via_start(const struct proxy *x, const struct dial_how *how, const char *agent,
    dial_fn fn, void *arg)
{
	struct dial_how	 first = { .host = x->at.host, .port = x->at.port,
			    .name = x->at.host, .tls = x->at.tls ?
			    DIAL_TLS_PROXY : DIAL_PLAIN };
	struct via	*v;

	if ((v = calloc(1, sizeof(*v))) == NULL)
		return (NULL);
	v->proxy = x;
	v->fn = fn;
	v->arg = arg;
	v->sock.fd = -1;
	v->port = how->port;
	v->exchange = (struct exchange){ .sock = &v->sock,
	    .method = HTTP_CONNECT, .request = v->request, .buf = v->head,
	    .size = sizeof(v->head), .fn = via_answered, .arg = v };
	strlcpy(v->host, how->host, sizeof(v->host));
	timer_init(&v->timer, via_timeout, v);
	if (request_make(v, agent) == -1 ||
	    (v->dial = dial_start(&first, via_dialed, v)) == NULL) {
		via_free(v);
		return (NULL);
	}
	return (v);
}

static void
via_dialed(void *arg, struct sock *c, const char *why)
{
	struct via	*v = arg;

	v->dial = NULL;
	if (why != NULL) {
		via_fail(v, why);
		return;
	}
	v->sock = *c;
	timer_set(&v->timer, VIA_ANSWER_MS);
	exchange_start(&v->exchange);
}

/* Does it ask for something, but not for Basic? */
static int
other_scheme(const struct httphead *head)
{
	const struct httphead_field	*f = head->field;
	int				 other = 0;

	for (; f < head->field + head->nfields; f++) {
		if (!httphead_is(f, "Proxy-Authenticate"))
			continue;
		if (f->value.len >= 5 &&
		    strncasecmp(f->value.s, "Basic", 5) == 0)
			return (0);
		other = 1;
	}
	return (other);
}

static void
via_answered(void *arg, const struct httphead *head, const char *why)
{
	struct via	*v = arg;
	char		 phrase[100], text[PROXY_WHY_SIZE];

	if (head == NULL) {
		via_fail(v, *why == '\0' ? "it closed the connection" : why);
		return;
	}
	if (head->status >= 200 && head->status <= 299) {
		/* TLS begins with us: what is here is not the server's. */
		if (head->head_len < v->exchange.len)
			via_fail(v, "it says something of its own");
		else
			via_open(v);
		return;
	}
	log_escape(phrase, sizeof(phrase), head->reason.s, head->reason.len);
	proxy_refusal(text, sizeof(text), head->status, phrase,
	    *v->proxy->basic != '\0', other_scheme(head));
	via_fail(v, text);
}

/* There is a way to the server. */
static void
via_open(struct via *v)
{
	struct dial_how	how = { .host = v->host, .port = v->port,
			    .name = v->host, .tls = DIAL_TLS_SERVER };

	timer_del(&v->timer);
	if ((v->dial = dial_over(&v->sock, &how, via_secured, v)) == NULL)
		via_fail(v, "out of memory");
}

static void
via_secured(void *arg, struct sock *c, const char *why)
{
	struct via	*v = arg;
	dial_fn		 fn = v->fn;
	void		*fn_arg = v->arg;

	v->dial = NULL;
	via_free(v);
	fn(fn_arg, c, why);
}

static void
via_timeout(void *arg)
{
	via_fail(arg, "no answer within 10 s");
}

static void
via_fail(struct via *v, const char *why)
{
	char	 text[PROXY_WHY_SIZE + 16];
	dial_fn	 fn = v->fn;
	void	*arg = v->arg;

	snprintf(text, sizeof(text), "proxy: %s", why);
	via_free(v);
	fn(arg, NULL, text);
}

static void
via_free(struct via *v)
{
	timer_del(&v->timer);
	if (v->dial != NULL)
		dial_cancel(v->dial);
	exchange_stop(&v->exchange);
	sock_close(&v->sock);
	explicit_bzero(v->request, sizeof(v->request));
	free(v);
}

void
via_cancel(struct via *v)
{
	via_free(v);
}
