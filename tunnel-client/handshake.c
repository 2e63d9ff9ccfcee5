/* SPDX-License-Identifier: ISC */
#include <sodium.h>

#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "net/exchange.h"
#include "handshake.h"
#include "http/head.h"
#include "base/log.h"
#include "reason.h"
#include "net/via.h"
#include "ws/ws.h"

#define REQUEST_MAX	(URL_TARGET_MAX + 4096)

struct handshake {
	void			(*asked)(void);
	handshake_fn		 fn;
	void			*arg;
	const struct url	*url;
	struct dial		*dial;
	struct via		*via;
	struct sock		 sock;
	struct timer		 timer;
	int			 token;		/* one was sent */
	char			*request;	/* has the secret: wiped */
	char			 key[WS_KEY_LEN + 1];
	struct exchange		 exchange;
};

static char	*request_make(const struct url *, const char *, const char *,
		    const char *, const char *, char *);
static void	hs_dialed(void *, struct sock *, const char *);
static void	hs_answered(void *, const struct httphead *, const char *);
static void	hs_answer(struct handshake *, const struct httphead *);
static void	hs_timeout(void *);
static void	hs_fail(struct handshake *, const char *);
static void	hs_free(struct handshake *);

/* With a proxy the time begins when there is a way to the server. */
static int
connect_start(struct handshake *h, const struct dial_how *how,
    const struct proxy *x)
{
	if (x != NULL && how->tls == DIAL_TLS_SERVER)
		return ((h->via = via_start(x, how, "relayd-tunnel-client",
		    hs_dialed, h)) == NULL ? -1 : 0);
	if ((h->dial = dial_start(how, hs_dialed, h)) == NULL)
		return (-1);
	timer_set(&h->timer, HANDSHAKE_MS);
	return (0);
}

struct handshake *
handshake_start(const struct url *u, const struct proxy *x, const char *node,
    const char *token, const char *key, const char *secret,
    void (*asked)(void), handshake_fn fn, void *arg)
{
	struct dial_how		 how = { .host = u->host, .port = u->port,
				    .name = u->host,
				    .tls = u->tls ? DIAL_TLS_SERVER :
				    DIAL_PLAIN };
	struct handshake	*h;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		return (NULL);
	h->asked = asked;
	h->url = u;
	h->fn = fn;
	h->arg = arg;
	h->sock.fd = -1;
	h->token = *token != '\0';
	timer_init(&h->timer, hs_timeout, h);
	h->request = request_make(u, node, token, key, secret, h->key);
	if (h->request == NULL || connect_start(h, &how, x) == -1) {
		hs_free(h);
		return (NULL);
	}
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
    const char *key, const char *secret, char *ws_key)
{
	uint8_t	 nonce[16];
	char	 basic[1400], target[URL_TARGET_MAX];
	char	*req = NULL;
	int	 n;

	randombytes_buf(nonce, sizeof(nonce));
	sodium_bin2base64(ws_key, WS_KEY_LEN + 1, nonce, sizeof(nonce),
	    sodium_base64_VARIANT_ORIGINAL);
	if (url_target(u, node, token, target, sizeof(target)) == -1 ||
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
	    "Upgrade: websocket\r\n"
	    "X-Support-Features: half-close\r\n\r\n",
	    target, u->authority, basic, ws_key);
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
	h->via = NULL;
	if (why != NULL) {
		hs_fail(h, why);
		return;
	}
	h->sock = *c;
	if (!timer_is_set(&h->timer))
		timer_set(&h->timer, HANDSHAKE_MS);
	h->exchange = (struct exchange){ .sock = &h->sock, .method = HTTP_GET,
	    .request = h->request, .request_len = strlen(h->request),
	    .buf = malloc(HTTPHEAD_RESPONSE_MAX),
	    .size = HTTPHEAD_RESPONSE_MAX, .fn = hs_answered, .arg = h };
	if (h->exchange.buf == NULL) {
		hs_fail(h, "out of memory");
		return;
	}
	h->asked();
	exchange_start(&h->exchange);
}

static void
hs_answered(void *arg, const struct httphead *head, const char *why)
{
	struct handshake	*h = arg;
	char			 text[REASON_SIZE];

	if (head != NULL) {
		hs_answer(h, head);
		return;
	}
	/* Who wants TLS hangs up, or says so in bytes of TLS. */
	snprintf(text, sizeof(text), "%s%s", *why == '\0' ?
	    "the server closed the connection" : why, h->url->tls ? "" :
	    "; is it wss:// that is spoken there?");
	hs_fail(h, text);
}

/* What makes a 101 ours; NULL, or what is wrong. */
static const char *
check_101(struct handshake *h, const struct httphead *head)
{
	const struct slice	*s;
	char			 accept[WS_ACCEPT_LEN + 1];

	if (!(head->flags & HTTPHEAD_UPGRADE) ||
	    !httphead_has_token(head, "Upgrade", "websocket"))
		return ("101 without an upgrade to websocket");
	ws_accept_key(h->key, accept);
	s = httphead_get(head, "Sec-WebSocket-Accept");
	if (s == NULL || !slice_eq(s, accept))
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
	r->half_close = httphead_has_token(head, "X-Support-Features",
	    "half-close");
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
		reason_answer(r.why, sizeof(r.why), h->url->path, head->status,
		    reason, h->exchange.buf + head->head_len,
		    h->exchange.len - head->head_len, h->token);
	} else if ((why = check_101(h, head)) != NULL) {
		snprintf(r.why, sizeof(r.why), "%s", why);
	} else {
		r.sock = h->sock;
		h->sock.fd = -1;
		h->sock.ssl = NULL;
		r.early = (uint8_t *)h->exchange.buf + head->head_len;
		r.early_len = h->exchange.len - head->head_len;
	}
	/* `early` lies in the handshake: it goes after the call. */
	timer_del(&h->timer);
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
	if (h->via != NULL)
		via_cancel(h->via);
	exchange_stop(&h->exchange);
	sock_close(&h->sock);
	if (h->request != NULL)
		freezero(h->request, REQUEST_MAX);
	free(h->exchange.buf);
	free(h);
}

void
handshake_cancel(struct handshake *h)
{
	hs_free(h);
}
