/* SPDX-License-Identifier: ISC */
/*
 * The story, in order: dial; ask for a ticket; the WebSocket, over the same
 * connection if it may be used again; bytes both ways; the end of each
 * direction; the end.
 */
#include <sys/socket.h>
#include <sys/stat.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <cjson/cJSON.h>
#include <llhttp.h>
#include <sodium.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "conn.h"
#include "net/exchange.h"
#include "net/net.h"
#include "relay.h"
#include "ws/ws.h"

#define BUF_SIZE	65536	/* bytes at once, either way */
#define REQUEST_MAX	24576	/* a token is 8 KiB at most */
#define ANSWER_MAX	65536	/* of an answer, with its head */
#define ASK_MS		30000	/* a ticket, from the dialing on */
#define OPEN_MS		130000	/* the client may dial its target */
#define SILENT_MS	100000	/* the server pings each 25 s */
#define CLOSE_MS	4000	/* for the server's close */
#define TTY_WRITE	4096	/* what a descriptor that may wait takes */
#define TICKET_LEN	64
#define SERVICE_BODY	128	/* the ticket's request */
#define WHY_SIZE	512

struct buf {
	uint8_t	data[WS_HEADER_MAX + BUF_SIZE];
	size_t	off, len;
};

struct conn {
	conn_fn		 fn;
	void		*arg;
	int		 in, out;	/* ours; -1: closed */
	int		 is_socket;	/* both are one */
	int		 out_waits;	/* its write may */
	struct dial	*dial;
	struct sock	 sock;
	struct exchange	 x;
	char		 accept[WS_ACCEPT_LEN + 1];
	char		 ticket[TICKET_LEN + 1];
	int		 asked;		/* 0: a ticket, 1: the WebSocket */
	size_t		 body_at, body_len;	/* of an answer */
	int		 status, keep;
	int		 up;		/* it is open, events are set */
	struct ws	 ws;
	struct buf	 to_server, to_local;
	int		 in_done, half_said, out_done;
	struct event	 ev_in, ev_out, ev_read, ev_write, ev_body;
	uint64_t	 heard_ms;
	struct timer	 timer;
	char		 why[WHY_SIZE];
};

static void	conn_dial(struct conn *);
static void	conn_dialed(void *, struct sock *, const char *);
static void	conn_ask(struct conn *);
static void	conn_answered(void *, const struct httphead *, const char *);
static void	conn_body(evutil_socket_t, short, void *);
static void	conn_answer(struct conn *);
static void	conn_late(void *);
static void	conn_open(struct conn *, size_t);
static void	conn_silent(void *);
static void	local_read(evutil_socket_t, short, void *);
static void	local_write(evutil_socket_t, short, void *);
static void	server_read(evutil_socket_t, short, void *);
static void	server_write(evutil_socket_t, short, void *);
static void	conn_update(struct conn *);
static void	conn_end(struct conn *, enum conn_end, const char *);

struct conn *
conn_start(int in, int out, conn_fn fn, void *arg)
{
	struct conn	*c = calloc(1, sizeof(*c));
	struct stat	 sb;

	if (c == NULL)
		return (NULL);
	c->fn = fn;
	c->arg = arg;
	c->in = in;
	c->out = out;
	c->sock.fd = -1;
	c->is_socket = in == out;
	/* The far end of a pipe does not see this; that of a terminal would. */
	if (c->is_socket || (fstat(out, &sb) == 0 && S_ISFIFO(sb.st_mode)))
		(void)evutil_make_socket_nonblocking(out);
	else
		c->out_waits = 1;
	timer_init(&c->timer, conn_late, c);
	conn_dial(c);
	return (c);
}

static void
conn_dial(struct conn *c)
{
	struct dial_how	how = { .host = relay.url.host,
			    .port = relay.url.port, .name = relay.url.host,
			    .tls = relay.url.tls ? DIAL_TLS_SERVER :
			    DIAL_PLAIN };

	timer_set(&c->timer, ASK_MS);
	if ((c->dial = dial_start(&how, conn_dialed, c)) == NULL) {
		strlcpy(c->why, "out of memory", sizeof(c->why));
		timer_set(&c->timer, 0);
	}
}

static void
conn_dialed(void *arg, struct sock *s, const char *why)
{
	struct conn	*c = arg;
	char		 where[WHY_SIZE];

	c->dial = NULL;
	if (why != NULL) {
		snprintf(where, sizeof(where), "%s: %s", relay.url.authority,
		    why);
		conn_end(c, CONN_UNREACHED, where);
		return;
	}
	c->sock = *s;
	conn_ask(c);
}

/* Requests. */

static int
ticket_request(char *req)
{
	char	body[SERVICE_BODY];
	int	n;

	n = snprintf(body, sizeof(body), "{\"service\":\"%s\"}",
	    relay.service);
	return (snprintf(req, REQUEST_MAX,
	    "POST %s/api/support-sessions/%s/tcp-ticket HTTP/1.1\r\n"
	    "Host: %s\r\nUser-Agent: relay/" RELAYD_VERSION "\r\n"
	    "Authorization: Bearer %s\r\n"
	    "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
	    relay.url.path, relay.session, relay.url.authority, relay.token,
	    n, body));
}

static int
upgrade_request(struct conn *c, char *req)
{
	uint8_t	nonce[16];
	char	key[WS_KEY_LEN + 1];

	randombytes_buf(nonce, sizeof(nonce));
	sodium_bin2base64(key, sizeof(key), nonce, sizeof(nonce),
	    sodium_base64_VARIANT_ORIGINAL);
	if (ws_accept_key(key, c->accept) == -1)
		return (-1);
	return (snprintf(req, REQUEST_MAX,
	    "GET %s/api/support-sessions/%s/tcp/%s?ticket=%s HTTP/1.1\r\n"
	    "Host: %s\r\nUser-Agent: relay/" RELAYD_VERSION "\r\n"
	    "Connection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
	    "Sec-WebSocket-Protocol: half-close\r\n\r\n", relay.url.path,
	    relay.session, relay.service, c->ticket, relay.url.authority,
	    key));
}

static void
conn_ask(struct conn *c)
{
	struct exchange	*x = &c->x;
	int		 n;

	free(x->buf);
	memset(x, 0, sizeof(*x));
	x->sock = &c->sock;
	x->method = c->asked ? HTTP_GET : HTTP_POST;
	x->fn = conn_answered;
	x->arg = c;
	x->size = ANSWER_MAX;
	x->buf = malloc(ANSWER_MAX);
	x->request = malloc(REQUEST_MAX);
	n = x->buf == NULL || x->request == NULL ? -1 : c->asked ?
	    upgrade_request(c, x->request) : ticket_request(x->request);
	if (n < 0 || n >= REQUEST_MAX) {
		conn_end(c, CONN_UNREACHED, n < 0 ? "out of memory" :
		    "address or token is too long");
		return;
	}
	x->request_len = (size_t)n;
	timer_set(&c->timer, c->asked ? OPEN_MS : ASK_MS);
	exchange_start(x);
}

/* Answers. */

static int
is_our_101(const struct conn *c, const struct httphead *head)
{
	const struct slice	*s;

	s = httphead_get(head, "Sec-WebSocket-Accept");
	return (head->status == 101 && (head->flags & HTTPHEAD_UPGRADE) &&
	    httphead_has_token(head, "Upgrade", "websocket") && s != NULL &&
	    slice_eq(s, c->accept) &&
	    httphead_has_token(head, "Sec-WebSocket-Protocol", "half-close"));
}

static void
conn_answered(void *arg, const struct httphead *head, const char *why)
{
	struct conn	*c = arg;

	free(c->x.request);
	c->x.request = NULL;
	if (head == NULL) {
		conn_end(c, CONN_UNREACHED, *why == '\0' ?
		    "the server has closed the connection" : why);
		return;
	}
	if (c->asked && head->status == 101) {
		if (is_our_101(c, head))
			conn_open(c, head->head_len);
		else
			conn_end(c, CONN_REFUSED, "the server has no TCP");
		return;
	}
	c->status = head->status;
	c->keep = (head->flags & HTTPHEAD_KEEPALIVE) != 0;
	c->body_at = head->head_len;
	c->body_len = head->flags & HTTPHEAD_LENGTH ?
	    (size_t)head->content_length : head->flags &
	    (HTTPHEAD_TO_CLOSE | HTTPHEAD_CHUNKED) ? ANSWER_MAX : 0;
	if (c->body_len > c->x.size - c->body_at)
		c->body_len = c->x.size - c->body_at;
	event_assign(&c->ev_body, net_base(), c->sock.fd, EV_READ | EV_PERSIST,
	    conn_body, c);
	if (c->x.len >= c->body_at + c->body_len)
		conn_answer(c);
	else {
		event_add(&c->ev_body, NULL);
		conn_body(-1, 0, c);
	}
}

static void
conn_body(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;
	ssize_t		 n;

	(void)fd;
	(void)what;
	n = sock_read(&c->sock, c->x.buf + c->x.len, c->x.size - c->x.len);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->x.len += (size_t)n;
	if (n > 0 && c->x.len < c->body_at + c->body_len)
		return;
	event_del(&c->ev_body);
	conn_answer(c);
}

/* A member's text, or "". The document keeps it. */
static const char *
text_of(const cJSON *o, const char *name)
{
	const char	*s = cJSON_GetStringValue(
			    cJSON_GetObjectItemCaseSensitive(o, name));

	return (s == NULL ? "" : s);
}

/* The envelope is here: the ticket, or why not. */
static void
conn_answer(struct conn *c)
{
	cJSON		*doc;
	const char	*ticket, *said;
	char		 shown[WHY_SIZE - 64], why[WHY_SIZE];

	doc = cJSON_ParseWithLength(c->x.buf + c->body_at,
	    c->x.len - c->body_at);
	ticket = text_of(cJSON_GetObjectItemCaseSensitive(doc, "data"),
	    "ticket");
	if (!c->asked && c->status == 200 && strlen(ticket) == TICKET_LEN &&
	    strspn(ticket, "0123456789abcdef") == TICKET_LEN) {
		strlcpy(c->ticket, ticket, sizeof(c->ticket));
		cJSON_Delete(doc);
		c->asked = 1;
		if (c->keep)
			conn_ask(c);
		else {
			sock_close(&c->sock);
			conn_dial(c);
		}
		return;
	}
	said = text_of(doc, "message");
	log_escape(shown, sizeof(shown), said, strlen(said));
	snprintf(why, sizeof(why), "%d%s%s", c->status, *shown == '\0' ? "" :
	    " ", shown);
	/* What an administrator wrote with `token revoke`. */
	said = text_of(cJSON_GetObjectItemCaseSensitive(doc, "data"),
	    "reason");
	log_escape(shown, sizeof(shown), said, strlen(said));
	cJSON_Delete(doc);
	if (*shown != '\0') {
		strlcat(why, ": ", sizeof(why));
		strlcat(why, shown, sizeof(why));
	}
	conn_end(c, c->status >= 500 && c->status != 502 ? CONN_UNREACHED :
	    CONN_REFUSED, why);
}

static void
conn_late(void *arg)
{
	struct conn	*c = arg;

	conn_end(c, CONN_UNREACHED, c->why[0] != '\0' ? c->why :
	    "no answer in time");
}

/* Open. */

static void
conn_open(struct conn *c, size_t head_len)
{
	size_t	early = c->x.len - head_len;

	c->up = 1;
	ws_init(&c->ws, WS_CLIENT, NULL);
	ws_take_half(&c->ws);
	event_assign(&c->ev_in, net_base(), c->in, EV_READ | EV_PERSIST,
	    local_read, c);
	event_assign(&c->ev_out, net_base(), c->out, EV_WRITE, local_write, c);
	event_assign(&c->ev_read, net_base(), c->sock.fd,
	    EV_READ | EV_PERSIST, server_read, c);
	event_assign(&c->ev_write, net_base(), c->sock.fd, EV_WRITE,
	    server_write, c);
	timer_del(&c->timer);
	timer_init(&c->timer, conn_silent, c);
	timer_set(&c->timer, SILENT_MS);
	c->heard_ms = clock_ms();
	if (early > BUF_SIZE)
		early = BUF_SIZE;	/* ANSWER_MAX: it is less */
	memcpy(c->to_local.data, c->x.buf + head_len, early);
	free(c->x.buf);
	c->x.buf = NULL;
	c->to_local.len = 0;
	if (early > 0) {
		(void)ws_input(&c->ws, c->to_local.data, early,
		    &c->to_local.len);
		local_write(-1, 0, c);
	} else
		conn_update(c);
}

/* Each side is read when the other has taken what it was given. */
static void
watch(struct event *ev, int on, int was)
{
	if (on && !was)
		event_add(ev, NULL);
	else if (!on && was)
		event_del(ev);
}

static void
conn_update(struct conn *c)
{
	int	reading = event_pending(&c->ev_read, EV_READ, NULL);
	int	wanted = c->to_local.len == 0;

	watch(&c->ev_in, c->in != -1 && !c->in_done && c->to_server.len == 0 &&
	    ws_may_send(&c->ws), event_pending(&c->ev_in, EV_READ, NULL));
	watch(&c->ev_read, wanted, reading);
	if (wanted && !reading)
		c->heard_ms = clock_ms();
	if (wanted && sock_pending(&c->sock))
		event_active(&c->ev_read, EV_READ, 0);
	if (c->to_local.len > 0)
		event_add(&c->ev_out, NULL);
	if (c->to_server.len > 0 || ws_pending(&c->ws) || c->sock.want_write ||
	    (c->in_done && !c->half_said && ws_may_send(&c->ws)))
		event_add(&c->ev_write, NULL);
}

static void
conn_silent(void *arg)
{
	struct conn	*c = arg;
	uint64_t	 silent = clock_ms() - c->heard_ms;

	if (!event_pending(&c->ev_read, EV_READ, NULL))
		silent = 0;		/* it is we who do not listen */
	if (silent >= SILENT_MS)
		conn_end(c, CONN_LOST, "the server is silent");
	else
		timer_set(&c->timer, SILENT_MS - silent);
}

/* Local to server. */

static void
frame(struct conn *c, enum ws_opcode op, size_t n)
{
	struct buf	*b = &c->to_server;
	uint8_t		 head[WS_HEADER_MAX], key[4];
	size_t		 len;

	randombytes_buf(key, sizeof(key));
	len = ws_header(head, op, n, key);
	ws_mask(b->data + WS_HEADER_MAX, n, key, 0);
	b->off = WS_HEADER_MAX - len;
	b->len = len + n;
	memcpy(b->data + b->off, head, len);
}

static void
local_read(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;
	ssize_t		 n;

	(void)fd;
	(void)what;
	n = read(c->in, c->to_server.data + WS_HEADER_MAX, BUF_SIZE);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n == -1 && c->is_socket) {
		conn_end(c, CONN_LOST, "");	/* reset: so is the service's */
		return;
	}
	if (n <= 0)
		c->in_done = 1;
	else
		frame(c, WS_OP_BINARY, (size_t)n);
	server_write(-1, 0, c);
}

static int
server_fill(struct conn *c)
{
	uint8_t	rnd[8];

	if (ws_pending(&c->ws)) {
		randombytes_buf(rnd, sizeof(rnd));
		c->to_server.off = 0;
		c->to_server.len = ws_output(&c->ws, c->to_server.data, rnd);
	} else if (c->in_done && !c->half_said && ws_may_send(&c->ws)) {
		c->half_said = 1;
		frame(c, WS_OP_TEXT, 0);
	}
	return (c->to_server.len > 0);
}

static void
server_write(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;
	struct buf	*b = &c->to_server;
	ssize_t		 n;

	(void)fd;
	(void)what;
	while (b->len > 0 || server_fill(c)) {
		n = sock_put(&c->sock, b->data + b->off, b->len);
		if (n == -1) {
			/* What it has still said, and why, may lie there. */
			b->len = 0;
			c->in_done = c->half_said = 1;
			break;
		}
		if (n == 0)
			break;
		b->off += (size_t)n;
		b->len -= (size_t)n;
	}
	if (c->sock.want_write)
		event_active(&c->ev_read, EV_READ, 0);
	conn_update(c);
}

/* Server to local. */

static void
server_closed(struct conn *c)
{
	const char	*reason;
	char		 shown[WHY_SIZE];
	size_t		 len = ws_peer_reason(&c->ws, &reason);

	if (ws_peer_code(&c->ws) == WS_NORMAL) {
		conn_end(c, CONN_DONE, "");
		return;
	}
	log_escape(shown, sizeof(shown), reason, len);
	conn_end(c, CONN_LOST, *shown != '\0' ? shown :
	    "closed by the server");
}

static void
server_read(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;
	size_t		 got = 0;
	ssize_t		 n;
	int		 bad;

	(void)fd;
	(void)what;
	if (c->to_local.len > 0)
		return;
	n = sock_read(&c->sock, c->to_local.data, BUF_SIZE);
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		conn_update(c);
		return;
	}
	if (n <= 0) {
		conn_end(c, CONN_LOST, "the connection to the server was lost");
		return;
	}
	c->heard_ms = clock_ms();
	bad = ws_input(&c->ws, c->to_local.data, (size_t)n, &got) == -1;
	c->to_local.off = 0;
	c->to_local.len = got;
	if (bad) {
		conn_end(c, CONN_LOST, ws_error(&c->ws));
		return;
	}
	local_write(-1, 0, c);
}

/* One that waits takes little at once; -1: it takes no more. */
static ssize_t
local_put(struct conn *c, const uint8_t *p, size_t len)
{
	ssize_t	n;

	if (c->is_socket)
		n = send(c->out, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(c->out, p, c->out_waits && len > TTY_WRITE ?
		    TTY_WRITE : len);
	return (n == -1 && (errno == EAGAIN || errno == EINTR) ? 0 : n);
}

static void
local_done(struct conn *c)
{
	c->out_done = 1;
	if (c->is_socket)
		(void)shutdown(c->out, SHUT_WR);
	else {
		close(c->out);
		c->out = -1;
	}
}

static void
local_write(evutil_socket_t fd, short what, void *arg)
{
	struct conn	*c = arg;
	struct buf	*b = &c->to_local;
	ssize_t		 n;
	int		 once = c->out_waits && !(what & EV_WRITE);

	(void)fd;
	while (b->len > 0 && !once) {
		if ((n = local_put(c, b->data + b->off, b->len)) == -1) {
			conn_end(c, CONN_LOST, "");
			return;
		}
		if (n == 0)
			break;
		b->off += (size_t)n;
		b->len -= (size_t)n;
		once = c->out_waits;
	}
	if (b->len == 0 && ws_peer_code(&c->ws) != 0) {
		server_closed(c);
		return;
	}
	if (b->len == 0 && ws_half_rcvd(&c->ws) && !c->out_done)
		local_done(c);
	if (ws_pending(&c->ws))
		server_write(-1, 0, c);
	else
		conn_update(c);
}

/* The end. */

/* A local peer is not to take what was cut for the whole. */
static void
local_close(struct conn *c, enum conn_end how)
{
	struct linger	now = { 1, 0 };

	if (c->is_socket && how != CONN_DONE)
		(void)setsockopt(c->in, SOL_SOCKET, SO_LINGER, &now,
		    sizeof(now));
	if (c->in != -1)
		close(c->in);
	if (!c->is_socket && c->out != -1)
		close(c->out);
}

static void
conn_end(struct conn *c, enum conn_end how, const char *why)
{
	conn_fn	 fn = c->fn;
	void	*arg = c->arg;
	char	 text[WHY_SIZE];

	strlcpy(text, why, sizeof(text));
	timer_del(&c->timer);
	if (c->up) {
		event_del(&c->ev_in);
		event_del(&c->ev_out);
		event_del(&c->ev_read);
		event_del(&c->ev_write);
		if (c->to_server.len == 0)	/* the answer to its close */
			(void)server_fill(c);
		(void)sock_put(&c->sock, c->to_server.data + c->to_server.off,
		    c->to_server.len);
	} else if (c->body_at > 0)
		event_del(&c->ev_body);
	if (c->dial != NULL)
		dial_cancel(c->dial);
	exchange_stop(&c->x);
	if (c->x.request != NULL)
		freezero(c->x.request, REQUEST_MAX);
	free(c->x.buf);
	sock_close(&c->sock);
	local_close(c, how);
	freezero(c, sizeof(*c));
	fn(arg, how, text);
}
