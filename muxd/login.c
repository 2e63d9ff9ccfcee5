/* SPDX-License-Identifier: ISC */
/*
 * Before login: parse the head again, ask authd once, answer once. Whatever is
 * not as expected ends the process with a reply; nothing is tried twice.
 * tunnel-protocol.md, section 1.
 */
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


#include "base/ascii.h"
#include "base/clock.h"
#include "base/compat.h"
#include "http/head.h"
#include "imsg/call.h"
#include "imsg/imsg.h"
#include "base/log.h"
#include "muxd.h"
#include "proc/link.h"
#include "proc/proc.h"
#include "http/reply.h"
#include "http/upgrade.h"

#define LOGIN_MS	8000
#define LINGER_MS	1000	/* for the peer to read a refusal */
#define RETRY_AFTER_S	5	/* when it is our fault */
#define ROW_9_HEADER	"Sec-WebSocket-Version: 13"

static int	login_check(const struct httphead *, char *);
static int	login_ask(const struct httphead *, const char *);
static int	login_result(struct chan *, struct imsg *, void *);
static void	login_accept(const char *, const char *);
static void	login_refuse(int, const char *, uint32_t, const char *);
static void	login_linger(evutil_socket_t, short, void *);
static void	login_over(void *);

static struct {
	int		 fd;
	int		 orphan;	/* authd went before we began */
	struct call	 ask;
	uint64_t	 nonce;
	char		 addr[ADDR_SIZE];
	char		 accept[ACCEPT_SIZE];
	char		 request[REQUEST_SIZE];	/* for the log, "" */
	char		 key[SYSKEY_SIZE];
	uint8_t		*early;		/* bytes behind the head */
	size_t		 early_len;
	struct event	 ev;
	struct timer	 over;
} login = { .fd = -1 };

/* Read the request; what came behind it is the client's first bytes. */
static void
login_read(struct httphead *h, const uint8_t *bytes, size_t len)
{
	struct httphead_scan	 scan = { 0 };
	char			 node[UPGRADE_NODE_SIZE];
	const char		*why;
	int			 status;

	switch (httphead_request(h, &scan, (const char *)bytes, len, &status,
	    &why)) {
	case 1:
		break;
	case 0:
		login_refuse(400, "incomplete request", 0, NULL);
		return;
	default:
		login_refuse(status, why, 0, NULL);
		return;
	}
	if (login_check(h, node) == -1)
		return;
	if (httphead_has_token(h, "X-Support-Features", "half-close"))
		bridge_client_halves();
	if (len > h->head_len) {
		login.early_len = len - h->head_len;
		if ((login.early = malloc(login.early_len)) == NULL) {
			login_refuse(503, "out of memory", RETRY_AFTER_S, NULL);
			return;
		}
		memcpy(login.early, bytes + h->head_len, login.early_len);
	}
	if (login_ask(h, node) == -1)
		login_refuse(503, "starting again", RETRY_AFTER_S, NULL);
}

void
login_start(int fd, uint64_t nonce, const char *addr, const char *accept,
    const char *request, const uint8_t *bytes, size_t len)
{
	struct httphead	*h;

	login.fd = fd;
	login.nonce = nonce;
	strlcpy(login.addr, addr, sizeof(login.addr));
	strlcpy(login.accept, accept, sizeof(login.accept));
	if (request_is(request, strlen(request)))
		strlcpy(login.request, request, sizeof(login.request));
	log_request(login.request);
	if (login.orphan) {
		login_refuse(503, "starting again", RETRY_AFTER_S, NULL);
		return;
	}
	/*
	 * Too large for a stack, or a page, that is kept for a tunnel's life.
	 */
	if ((h = malloc(sizeof(*h))) == NULL) {
		login_refuse(503, "out of memory", RETRY_AFTER_S, NULL);
		return;
	}
	login_read(h, bytes, len);
	free(h);
}

/* Rows 9, 10 and 7 of section 1.5, in this order. -1: answered. */
static int
login_check(const struct httphead *h, char *node)
{
	int	status;

	if ((status = upgrade_check(h)) != 0) {
		login_refuse(status, "not a WebSocket upgrade", 0,
		    ROW_9_HEADER);
		return (-1);
	}
	if ((status = upgrade_no_origin(h)) != 0) {
		login_refuse(status, "browsers may not connect here", 0,
		    ROW_9_HEADER);
		return (-1);
	}
	if ((status = upgrade_node_id(h, node)) != 0) {
		login_refuse(status, "invalid node_id format", 0, NULL);
		return (-1);
	}
	/* It becomes a header line: do not believe it blindly. */
	if (strlen(login.accept) != ACCEPT_SIZE - 1 || !ascii_all(login.accept,
	    ACCEPT_SIZE - 1, "+/=")) {
		login_refuse(500, "internal error", 0, NULL);
		return (-1);
	}
	return (0);
}

/* Rows 2 and 3 are syntax; the rest is authd's to say. -1: it is away. */
static int
login_ask(const struct httphead *h, const char *node)
{
	char			 secret[SECRET_SIZE], token[HEX64_SIZE];
	enum upgrade_auth	 auth;
	struct chan		*c = link_chan();
	uint32_t		 id;

	auth = upgrade_basic(
	    h, login.key, sizeof(login.key), secret, sizeof(secret));
	if (auth != UPGRADE_AUTH_OK) {
		login_refuse(401, upgrade_auth_message(auth), 0,
		    "WWW-Authenticate: " UPGRADE_AUTH_CHALLENGE);
		return (0);
	}
	switch (upgrade_query_get(&h->query, "reconnect_token", token,
	    sizeof(token))) {
	case UPGRADE_Q_NONE:
		token[0] = '\0';
		break;
	case UPGRADE_Q_BAD:	/* present, and nobody's */
		strlcpy(token, "-", sizeof(token));
		break;
	default:
		break;
	}
	id = call_start(&login.ask, c, LOGIN_MS, login_result, NULL);
	if (id != 0) {
		if (say_login(c, id, -1, &(struct msg_login){
		    .nonce = login.nonce, .key = login.key, .secret = secret,
		    .node = node, .reconnect = token,
		    .addr = login.addr }) == -1) {
			call_cancel(&login.ask);
			id = 0;
		}
	}
	explicit_bzero(secret, sizeof(secret));
	return (id == 0 ? -1 : 0);
}

static int
login_result(struct chan *c, struct imsg *m, void *arg)
{
	struct msg_login_result	in;

	(void)c;
	(void)arg;
	log_request(login.request);
	if (m == NULL) {
		login_refuse(503, "no answer in time", RETRY_AFTER_S, NULL);
		return (0);
	}
	if (get_login_result(m, &in) == -1) {
		login_refuse(500, "internal error", 0, NULL);
		return (-1);
	}
	if (in.status != 0) {
		login_refuse(in.status, in.message, in.retry_s,
		    in.status == 401 ?
			"WWW-Authenticate: " UPGRADE_AUTH_CHALLENGE :
			NULL);
		return (0);
	}
	if (!ascii_all(in.session, strlen(in.session), "-") ||
	    in.session[0] == '\0' ||
	    !ascii_all(in.reconnect, strlen(in.reconnect), "")) {
		login_refuse(500, "internal error", 0, NULL);
		return (-1);
	}
	login_accept(in.session, in.reconnect);
	return (0);
}

static void
login_accept(const char *session, const char *token)
{
	char	head[512], name[SYSKEY_SIZE * 2];
	int	n, fd = login.fd;

	log_escape(name, sizeof(name), login.key, strlen(login.key));
	muxd_set_name(name, session);
	n = snprintf(head, sizeof(head),
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\nX-Support-Session-Id: %s\r\n"
	    "X-Support-Reconnect-Token: %s\r\n"
	    "X-Support-Features: terminal-status, half-close\r\n\r\n",
	    login.accept, session, token);
	/* The first bytes on this socket: they fit, or nobody is there. */
	if (send(fd, head, (size_t)n, MSG_NOSIGNAL |
	    MSG_DONTWAIT) != n) {
		log_info("lost before it was up");
		muxd_exit(0);
	}
	explicit_bzero(head, sizeof(head));
	log_info("up: %s from %s", name, login.addr);
	login.fd = -1;
	authd_up();
	tunnel_start(fd, login.early, login.early_len);
	free(login.early);
	login.early = NULL;
}

void
login_abandon(void)
{
	if (call_waits(&login.ask)) {
		call_cancel(&login.ask);
		login_refuse(503, "starting again", RETRY_AFTER_S, NULL);
	}
}

void
login_orphan(void)
{
	login.orphan = 1;
	login_abandon();
}

/* The one way out of a login that failed. */
static void
login_refuse(int status, const char *message, uint32_t retry, const char *extra)
{
	char	reply[REPLY_MAX], text[256];
	long	n;

	log_info("%s: refused: %d %s", login.addr, status, log_escape(text,
	    sizeof(text), message, strlen(message)));
	n = reply_refusal(reply, sizeof(reply), status, message, retry,
	    login.request, extra);
	if (n <= 0 || send(login.fd, reply, (size_t)n, MSG_NOSIGNAL |
	    MSG_DONTWAIT) != n)
		muxd_exit(0);
	/* Unread bytes would turn our close into a reset: read to the end. */
	(void)shutdown(login.fd, SHUT_WR);
	timer_init(&login.over, login_over, NULL);
	timer_set(&login.over, LINGER_MS);
	event_assign(&login.ev, proc_base(), login.fd, EV_READ | EV_PERSIST,
	    login_linger, NULL);
	if (event_add(&login.ev, NULL) == -1)
		muxd_exit(0);
}

static void
login_linger(evutil_socket_t fd, short what, void *arg)
{
	char	waste[1024];

	(void)what;
	(void)arg;
	if (recv(fd, waste, sizeof(waste), MSG_DONTWAIT) <= 0)
		muxd_exit(0);
}

static void
login_over(void *arg)
{
	(void)arg;
	muxd_exit(0);
}
