/* SPDX-License-Identifier: ISC */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <sodium.h>

#include <errno.h>
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "handshake.h"
#include "http/head.h"
#include "base/log.h"
#include "reason.h"
#include "ws/ws.h"

#define REQUEST_MAX	(URL_TARGET_MAX + 4096)

struct handshake {
	handshake_fn		 fn;
	void			*arg;
	struct dial		*dial;
	struct sock		 sock;
	struct timer		 timer;
	struct event		 ev_read, ev_write;
	int			 events;	/* the events are assigned */
	int			 token;		/* one was sent */
	char			*request;	/* has the secret: wiped */
	size_t			 request_len, sent;
	char			 accept[WS_ACCEPT_LEN + 1];
	char			*head;
	size_t			 head_len;
	struct httphead_scan	 scan;
};

static char	*request_make(const struct url *, const char *, const char *,
		    const char *, const char *, char *);
static void	hs_dialed(void *, struct sock *, const char *);
static void	hs_write(evutil_socket_t, short, void *);
static void	hs_read(evutil_socket_t, short, void *);
static void	hs_head(struct handshake *);
static void	hs_answer(struct handshake *, const struct httphead *);
static void	hs_timeout(void *);
static void	hs_fail(struct handshake *, const char *);
static void	hs_free(struct handshake *);

struct handshake *
handshake_start(const struct url *u, const char *node, const char *token,
    const char *key, const char *secret, handshake_fn fn, void *arg)
{
	struct dial_how		 how = { .host = u->host, .port = u->port,
				    .name = u->host,
				    .tls = u->tls ? DIAL_TLS_SERVER :
				    DIAL_PLAIN };
	struct handshake	*h;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		return (NULL);
	h->fn = fn;
	h->arg = arg;
	h->sock.fd = -1;
	h->token = *token != '\0';
	timer_init(&h->timer, hs_timeout, h);
	h->request = request_make(u, node, token, key, secret, h->accept);
	if (h->request == NULL ||
	    (h->dial = dial_start(&how, hs_dialed, h)) == NULL) {
		hs_free(h);
		return (NULL);
	}
	h->request_len = strlen(h->request);
	timer_set(&h->timer, HANDSHAKE_MS);
	return (h);
}

/* Basic credentials in `out`, or -1. */
static int
credentials(char *out, size_t size, const char *key, const char *secret)
{
	char	pair[1024];
	int	n, r = -1;

	n = snprintf(pair, sizeof(pair), "%s:%s", key, secret);
	if (n > 0 && (size_t)n < sizeof(pair) && sodium_base64_ENCODED_LEN(
	    (size_t)n, sodium_base64_VARIANT_ORIGINAL) <= size) {
		sodium_bin2base64(out, size, (unsigned char *)pair, (size_t)n,
		    sodium_base64_VARIANT_ORIGINAL);
		r = 0;
	}
	sodium_memzero(pair, sizeof(pair));
	return (r);
}

static char *
request_make(const struct url *u, const char *node, const char *token,
    const char *key, const char *secret, char *accept)
{
	uint8_t	 nonce[16];
	char	 ws_key[WS_KEY_LEN + 1], basic[1400], target[URL_TARGET_MAX];
	char	*req = NULL;
	int	 n;

	randombytes_buf(nonce, sizeof(nonce));
	sodium_bin2base64(ws_key, sizeof(ws_key), nonce, sizeof(nonce),
	    sodium_base64_VARIANT_ORIGINAL);
	if (ws_accept_key(ws_key, accept) == -1 ||
	    url_target(u, node, token, target, sizeof(target)) == -1 ||
	    credentials(basic, sizeof(basic), key, secret) == -1 ||
	    (req = malloc(REQUEST_MAX)) == NULL)
		return (NULL);
	n = snprintf(req, REQUEST_MAX, "GET %s HTTP/1.1\r\n"
	    "Host: %s\r\n"
	    "User-Agent: relayd-tunnel-client/" RELAYD_VERSION "\r\n"
	    "Authorization: Basic %s\r\n"
	    "Connection: Upgrade\r\n"
	    "Sec-WebSocket-Key: %s\r\n"
	    "Sec-WebSocket-Version: 13\r\n"
	    "Upgrade: websocket\r\n\r\n", target, u->authority, basic, ws_key);
	sodium_memzero(basic, sizeof(basic));
	if (n < 0 || n >= REQUEST_MAX) {
		freezero(req, REQUEST_MAX);
		return (NULL);
	}
	return (req);
}

static void
hs_dialed(void *arg, struct sock *c, const char *why)
{
	struct handshake	*h = arg;

	h->dial = NULL;
	if (why != NULL) {
		hs_fail(h, why);
		return;
	}
	h->sock = *c;
	if ((h->head = malloc(HTTPHEAD_RESPONSE_MAX + 1)) == NULL) {
		hs_fail(h, "out of memory");
		return;
	}
	event_assign(&h->ev_read, net_base(), c->fd, EV_READ | EV_PERSIST,
	    hs_read, h);
	event_assign(&h->ev_write, net_base(), c->fd, EV_WRITE, hs_write, h);
	h->events = 1;
	event_add(&h->ev_read, NULL);
	hs_write(c->fd, EV_WRITE, h);
}

static void
hs_write(evutil_socket_t fd, short what, void *arg)
{
	struct handshake	*h = arg;
	struct iovec		 iov;
	ssize_t			 n;

	(void)fd;
	(void)what;
	iov.iov_base = h->request + h->sent;
	iov.iov_len = h->request_len - h->sent;
	if ((n = sock_writev(&h->sock, &iov, 1)) == -1) {
		if (errno != EAGAIN && errno != EINTR) {
			hs_fail(h, strerror(errno));
			return;
		}
		n = 0;
	}
	h->sent += (size_t)n;
	if (h->sent < h->request_len)
		event_add(&h->ev_write, NULL);
	else
		sodium_memzero(h->request, h->request_len);
}

static void
hs_read(evutil_socket_t fd, short what, void *arg)
{
	struct handshake	*h = arg;
	size_t			 room = HTTPHEAD_RESPONSE_MAX - h->head_len;
	ssize_t			 n;

	(void)fd;
	(void)what;
	if (room == 0) {
		hs_fail(h, "the answer's head is too long");
		return;
	}
	n = sock_read(&h->sock, h->head + h->head_len, room);
	if (n == -1) {
		if (errno != EAGAIN && errno != EINTR)
			hs_fail(h, strerror(errno));
		return;
	}
	if (n == 0) {
		hs_fail(h, "the server closed the connection");
		return;
	}
	h->head_len += (size_t)n;
	hs_head(h);
}

static void
hs_head(struct handshake *h)
{
	struct httphead	*head;
	const char	*why;
	char		 text[160];
	int		 r;

	if ((head = malloc(sizeof(*head))) == NULL) {
		hs_fail(h, "out of memory");
		return;
	}
	for (;;) {
		r = httphead_response(head, &h->scan, HTTP_GET, h->head,
		    h->head_len, &why);
		if (r != 1 || !(head->flags & HTTPHEAD_INTERIM))
			break;
		h->head_len -= head->head_len;
		memmove(h->head, h->head + head->head_len, h->head_len);
		memset(&h->scan, 0, sizeof(h->scan));
	}
	if (r == -1) {
		snprintf(text, sizeof(text), "bad answer: %s", why);
		hs_fail(h, text);
	} else if (r == 1)
		hs_answer(h, head);
	free(head);
}

/* What makes a 101 ours; NULL, or what is wrong. */
static const char *
check_101(const struct handshake *h, const struct httphead *head)
{
	const struct slice	*s;

	if (!(head->flags & HTTPHEAD_UPGRADE) ||
	    !httphead_has_token(head, "Upgrade", "websocket"))
		return ("101 without an upgrade to websocket");
	s = httphead_get(head, "Sec-WebSocket-Accept");
	if (s == NULL || !slice_eq(s, h->accept))
		return ("101 with a wrong Sec-WebSocket-Accept");
	if (httphead_get(head, "Sec-WebSocket-Extensions") != NULL ||
	    httphead_get(head, "Sec-WebSocket-Protocol") != NULL)
		return ("101 with an extension that was not asked for");
	return (NULL);
}

static void
take_fields(struct handshake_result *r, const struct httphead *head)
{
	const struct slice	*s;

	s = httphead_get(head, "X-Support-Reconnect-Token");
	if (s != NULL && s->len == TOKEN_SIZE - 1 &&
	    strspn(s->s, "0123456789abcdef") >= s->len)
		memcpy(r->token, s->s, s->len);
	s = httphead_get(head, "X-Support-Session-Id");
	if (s != NULL)
		log_escape(r->session, sizeof(r->session), s->s, s->len);
	r->terminal_status = httphead_has_token(head, "X-Support-Features",
	    "terminal-status");
	s = httphead_get(head, "Retry-After");
	if (s != NULL)
		r->retry_after_ms = retry_after_parse(s->s, s->len,
		    clock_wall());
}

static void
hs_answer(struct handshake *h, const struct httphead *head)
{
	struct handshake_result	 r = { .sock = { .fd = -1 } };
	handshake_fn		 fn = h->fn;
	void			*arg = h->arg;
	const char		*why = NULL;
	char			 reason[100];

	r.status = head->status;
	take_fields(&r, head);
	if (head->status != 101) {
		log_escape(reason, sizeof(reason), head->reason.s,
		    head->reason.len);
		reason_answer(r.why, sizeof(r.why), head->status, reason,
		    h->head + head->head_len, h->head_len - head->head_len,
		    h->token);
	} else if ((why = check_101(h, head)) != NULL) {
		snprintf(r.why, sizeof(r.why), "%s", why);
	} else {
		r.sock = h->sock;
		h->sock.fd = -1;
		h->sock.ssl = NULL;
		r.early = (uint8_t *)h->head + head->head_len;
		r.early_len = h->head_len - head->head_len;
	}
	/* `early` lies in the handshake: it goes after the call. */
	timer_del(&h->timer);
	event_del(&h->ev_read);
	event_del(&h->ev_write);
	fn(arg, &r);
	sodium_memzero(r.token, sizeof(r.token));
	hs_free(h);
}

static void
hs_timeout(void *arg)
{
	hs_fail(arg, "no complete answer within 10 s");
}

static void
hs_fail(struct handshake *h, const char *why)
{
	struct handshake_result	 r = { .sock = { .fd = -1 } };
	handshake_fn		 fn = h->fn;
	void			*arg = h->arg;

	snprintf(r.why, sizeof(r.why), "%s", why);
	hs_free(h);
	fn(arg, &r);
}

static void
hs_free(struct handshake *h)
{
	timer_del(&h->timer);
	if (h->dial != NULL)
		dial_cancel(h->dial);
	if (h->events) {
		event_del(&h->ev_read);
		event_del(&h->ev_write);
	}
	sock_close(&h->sock);
	if (h->request != NULL)
		freezero(h->request, REQUEST_MAX);
	free(h->head);
	free(h);
}

void
handshake_cancel(struct handshake *h)
{
	hs_free(h);
}
