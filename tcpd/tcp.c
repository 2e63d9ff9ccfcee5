/* SPDX-License-Identifier: ISC */
/*
 * The story, in order: the operator's connection; the stream and the client's
 * reply line, which decides between 101 and an error; bytes both ways; each
 * direction's end; the end of both. An end of the operator's is an empty text
 * message, or a close that says nothing is wrong: what came before it still
 * goes to the service, and is complete there.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "base/want.h"
#include "http/head.h"
#include "http/upgrade.h"
#include "imsg/msg.h"
#include "proc/proc.h"
#include "proc/visit.h"
#include "tcp.h"
#include "ws/ws.h"

#define BUF_SIZE	65536	/* bytes at once, either way */
#define LINE_MAX_LEN	1024	/* of the client's reply line */
#define PING_MS		25000	/* below what proxies call idle */
#define CLOSE_MS	4000	/* for the operator's; authd waits 5 s */
#define DRAIN_MS	60000	/* the same, when there is no hurry */
#define OVER_MS		2000	/* for authd's word on how it ended */
#define LAST_MS		10000	/* for the service's end after the operator's */

enum state {
	ST_WAIT,		/* no 101 yet */
	ST_OPEN,
	ST_LAST,		/* the operator has closed; the stream drains */
	ST_CLOSING		/* the stream is gone; close and its answer */
};

/* `off` of `len` bytes have gone. */
struct buf {
	uint8_t	data[WS_HEADER_MAX + BUF_SIZE];
	size_t	off, len;
};

static void	operator_event(evutil_socket_t, short, void *);
static void	operator_early(void);
static void	operator_take(size_t);
static void	operator_flush(evutil_socket_t, short, void *);
static int	operator_fill(void);
static void	operator_gone(void);
static void	stream_event(evutil_socket_t, short, void *);
static void	stream_line(void);
static int	stream_fill(void);
static void	stream_eof(void);
static void	stream_lost(void);
static void	stream_done(void);
static void	stream_flush(evutil_socket_t, short, void *);
static void	stream_drop(void);
static void	stream_late(void *);
static void	watch_update(void);
static void	halves_update(void);
static void	idle_due(void *);
static void	ping_due(void *);
static void	leave(void *);

static struct {
	/* set once */
	int		 operator_fd, stream_fd;
	char		 accept[ACCEPT_SIZE];
	int		 knows_half;	/* the operator: TCP_HALF_CLOSE */
	uint64_t	 idle_ms;
	struct event	 operator_read, operator_write;
	struct event	 stream_read, stream_write;
	/* state */
	enum state	 state;
	struct ws	 ws;
	struct buf	 up;		/* to the stream */
	struct buf	 down;		/* to the operator, framed; */
	int		 down_bulk;	/* it is of the stream's bytes */
	int		 up_done;	/* the stream was told the end */
	int		 eof;		/* the stream has ended, */
	int		 down_done;	/* cleanly */
	unsigned	 over;		/* tcp_over() */
	int		 over_said;
	int		 half_due, ping_owed;
	uint64_t	 moved_ms;
	struct timer	 idle, ping, gone, last;
	/* statistics */
	uint64_t	 bytes_in, bytes_out;
} tcp = { .operator_fd = -1, .stream_fd = -1 };

/* The operator. */

int
tcp_operator(int fd, const char *accept, const uint8_t *bytes, size_t len)
{
	struct httphead		head;
	struct httphead_scan	scan = { 0 };
	const char		*why = NULL;
	int			 status = 400, on = 1;

	tcp.operator_fd = fd;
	strlcpy(tcp.accept, accept, sizeof(tcp.accept));
	/* What does not apply to this kind of socket fails, and may. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	timer_init(&tcp.gone, leave, NULL);
	if (httphead_request(&head, &scan, (const char *)bytes, len, &status,
	    &why) != 1 || upgrade_check(&head) != 0 ||
	    strlen(accept) != ACCEPT_SIZE - 1 ||
	    len - head.head_len > BUF_SIZE) {
		tcp_refuse(status, why != NULL ? why :
		    "not a WebSocket upgrade");
		return (-1);
	}
	tcp.knows_half = httphead_has_token(&head, "Sec-WebSocket-Protocol",
	    TCP_HALF_CLOSE);
	tcp.up.len = len - head.head_len;
	memcpy(tcp.up.data, bytes + head.head_len, tcp.up.len);
	return (0);
}

/* Before 101: an HTTP reply, then out. */
static void
refuse(int status, unsigned reason, const char *message)
{
	if (tcp.state != ST_WAIT)
		return;
	visit_ended(reason, message);
	stream_drop();
	visit_refuse(tcp.operator_fd, status, message);
	tcp.state = ST_CLOSING;
	timer_set(&tcp.gone, 0);
}

void
tcp_refuse(int status, const char *message)
{
	refuse(status, END_LOCAL, message);
}

void
tcp_stream(int fd, uint32_t idle_s)
{
	if (tcp.state != ST_WAIT) {	/* refused already */
		close(fd);
		return;
	}
	tcp.stream_fd = fd;
	tcp.idle_ms = (uint64_t)idle_s * 1000;
	ws_init(&tcp.ws, WS_SERVER, NULL);
	ws_set_frame_max(&tcp.ws, INT32_MAX);
	ws_take_half(&tcp.ws);
	event_assign(&tcp.operator_read, proc_base(), tcp.operator_fd,
	    EV_READ | EV_PERSIST, operator_event, NULL);
	event_assign(&tcp.operator_write, proc_base(), tcp.operator_fd,
	    EV_WRITE, operator_flush, NULL);
	event_assign(&tcp.stream_read, proc_base(), fd, EV_READ | EV_PERSIST,
	    stream_event, NULL);
	event_assign(&tcp.stream_write, proc_base(), fd, EV_WRITE,
	    stream_flush, NULL);
	timer_init(&tcp.idle, idle_due, NULL);
	timer_init(&tcp.ping, ping_due, NULL);
	timer_init(&tcp.last, stream_late, NULL);
	watch_update();
}

/* Each side is read only when the other has taken all it was given. */
static void
watch(struct event *ev, int on)
{
	if (on)
		event_want(ev, NULL);
	else
		event_del(ev);
}

static void
watch_update(void)
{
	if (tcp.operator_fd != -1)
		watch(&tcp.operator_read, tcp.state == ST_WAIT ?
		    tcp.up.len < BUF_SIZE : tcp.up.len == 0 ||
		    tcp.state == ST_CLOSING);
	if (tcp.stream_fd != -1)
		watch(&tcp.stream_read, !tcp.eof &&
		    (tcp.state == ST_WAIT || tcp.down.len == 0 ||
		    tcp.state == ST_LAST));
}

static void
operator_event(evutil_socket_t fd, short what, void *arg)
{
	size_t	at = tcp.state == ST_WAIT ? tcp.up.len : 0;
	ssize_t	n;

	(void)what;
	(void)arg;
	n = recv(fd, tcp.up.data + at, BUF_SIZE - at, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		operator_gone();
		return;
	}
	if (tcp.state == ST_WAIT)	/* before the 101: it is early */
		tcp.up.len += (size_t)n;
	else
		operator_take((size_t)n);
	watch_update();
}

/* `n` bytes lie in the buffer: payload, to be passed on, is what stays. */
static void
operator_take(size_t n)
{
	int	bad = ws_input(&tcp.ws, tcp.up.data, n, &n) == -1;

	if (tcp.state == ST_OPEN) {
		tcp.up.off = 0;
		tcp.up.len = n;
		tcp.bytes_out += n;
		if (n > 0)
			tcp.moved_ms = clock_ms();
	}
	if (bad && tcp.state == ST_OPEN) {
		log_info("tcp: operator broke the protocol: %s",
		    ws_error(&tcp.ws));
		tcp_close(0, END_LOCAL, ws_error(&tcp.ws));
	}
	if (tcp.stream_fd != -1)
		stream_flush(-1, 0, NULL);
	halves_update();
	if (tcp.operator_fd != -1)
		operator_flush(-1, 0, NULL);
}

/* It is not there any more. */
static void
operator_gone(void)
{
	if (tcp.state == ST_WAIT) {
		tcp.state = ST_CLOSING;
		visit_ended(END_LOCAL, "operator gave up");
		stream_drop();
	} else if (tcp.state == ST_OPEN)
		tcp_close(0, END_LOCAL, "connection of the operator was lost");
	if (tcp.operator_fd != -1) {
		event_del(&tcp.operator_read);
		event_del(&tcp.operator_write);
		close(tcp.operator_fd);
		tcp.operator_fd = -1;
	}
	if (tcp.state == ST_CLOSING)
		leave(NULL);
}

/* To the operator: what is there, then what comes next, until it is full. */
static void
operator_flush(evutil_socket_t fd, short what, void *arg)
{
	struct buf	*b = &tcp.down;
	ssize_t		 n;

	(void)fd;
	(void)what;
	(void)arg;
	while (tcp.operator_fd != -1 && (b->len > 0 || operator_fill())) {
		n = send(tcp.operator_fd, b->data + b->off, b->len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno != EAGAIN) {
			operator_gone();
			return;
		}
		if (n == -1) {
			event_want(&tcp.operator_write, NULL);
			break;
		}
		b->off += (size_t)n;
		b->len -= (size_t)n;
		if (tcp.down_bulk)
			tcp.moved_ms = clock_ms();
		if (tcp.state == ST_CLOSING && ws_own_code(&tcp.ws) ==
		    WS_NORMAL)
			timer_set(&tcp.gone, DRAIN_MS);
	}
	if (tcp.operator_fd != -1 && b->len == 0 && ws_done(&tcp.ws))
		operator_gone();
	watch_update();
}

/* The next of what is not the stream's bytes. 0: nothing. */
static int
operator_fill(void)
{
	struct buf	*b = &tcp.down;

	b->off = 0;
	tcp.down_bulk = 0;
	if (tcp.state == ST_WAIT)
		return (0);
	if (tcp.half_due && ws_may_send(&tcp.ws)) {
		tcp.half_due = 0;
		b->len = ws_header(b->data, WS_OP_TEXT, 0, NULL);
	} else if (ws_pending(&tcp.ws)) {
		b->len = ws_output(&tcp.ws, b->data, NULL);
	} else if (tcp.ping_owed && ws_may_send(&tcp.ws)) {
		tcp.ping_owed = 0;
		b->len = ws_header(b->data, WS_OP_PING, 0, NULL);
	}
	return (b->len > 0);
}

/* The stream. */

static void
stream_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (tcp.state == ST_WAIT)
		stream_line();
	else if (stream_fill() && tcp.operator_fd != -1)
		operator_flush(-1, 0, NULL);
	watch_update();
}

/* The client's reply line, which muxd writes whole. The rest stays there. */
static void
stream_line(void)
{
	char	 line[LINE_MAX_LEN + 1], reason[256], text[MESSAGE_SIZE];
	char	*end;
	ssize_t	 n;

	n = recv(tcp.stream_fd, line, sizeof(line), MSG_PEEK | MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	end = n <= 0 ? NULL : memchr(line, '\n', (size_t)n);
	if (end == line + 2 && memcmp(line, "OK", 2) == 0 &&
	    recv(tcp.stream_fd, line, 3, 0) == 3) {
		operator_early();
		return;
	}
	if (end != NULL && end - line > 6 && memcmp(line, "ERROR ", 6) == 0) {
		log_escape(reason, sizeof(reason), line + 6,
		    (size_t)(end - line) - 6);
		snprintf(text, sizeof(text), "service not available: %s",
		    reason);
		refuse(502, END_REFUSED, text);
	} else
		refuse(502, n == 0 ? END_TUNNEL : END_REFUSED, n == 0 ?
		    "tunnel connect failed" :
		    "unexpected answer of the client");
}

/* Connected: 101, and what the operator has sent since. */
static void
operator_early(void)
{
	struct buf	*b = &tcp.down;
	size_t		 early = tcp.up.len;

	tcp.state = ST_OPEN;
	tcp.up.len = 0;
	b->off = 0;
	b->len = (size_t)snprintf((char *)b->data, sizeof(b->data),
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n%s\r\n", tcp.accept,
	    tcp.knows_half ? "Sec-WebSocket-Protocol: " TCP_HALF_CLOSE "\r\n" :
	    "");
	tcp.moved_ms = clock_ms();
	timer_set(&tcp.idle, tcp.idle_ms);
	timer_set(&tcp.ping, PING_MS);
	operator_take(early);
}

/* Bytes of the stream become a frame. 0: there were none. */
static int
stream_fill(void)
{
	struct buf	*b = &tcp.down;
	uint8_t		 head[WS_HEADER_MAX];
	size_t		 len;
	ssize_t		 n;

	n = recv(tcp.stream_fd, b->data + WS_HEADER_MAX, BUF_SIZE,
	    MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (0);
	if (n <= 0) {
		stream_eof();
		return (0);
	}
	tcp.moved_ms = clock_ms();
	if (tcp.state == ST_LAST || !ws_may_send(&tcp.ws))
		return (0);		/* nobody wants it any more */
	tcp.bytes_in += (uint64_t)n;
	len = ws_header(head, WS_OP_BINARY, (uint64_t)n, NULL);
	b->off = WS_HEADER_MAX - len;
	b->len = len + (size_t)n;
	tcp.down_bulk = 1;
	memcpy(b->data + b->off, head, len);
	return (1);
}

/*
 * A clean end is end of file without POLLHUP (messages.md, section 2): as long
 * as our own direction is open. Behind its end both look alike, and it takes
 * the tunnel's word.
 */
static void
stream_eof(void)
{
	struct pollfd	pfd = { tcp.stream_fd, POLLIN, 0 };

	tcp.eof = 1;
	if (tcp.up_done) {
		if (tcp.over_said)
			tcp_over(tcp.over);
		else
			timer_set(&tcp.last, OVER_MS);
		return;
	}
	if (poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR)))
		stream_lost();
	else
		stream_done();
}

void
tcp_over(unsigned why)
{
	tcp.over = why;
	tcp.over_said = 1;
	if (!tcp.eof || tcp.down_done || tcp.stream_fd == -1)
		return;
	if (why == END_CLEAN)
		stream_done();
	else
		stream_lost();
}

/* Also when nobody has said how it ended. */
static void
stream_lost(void)
{
	tcp_close(1011, END_TUNNEL, "connection to the service was lost");
}

static void
stream_done(void)
{
	tcp.down_done = 1;
	if (tcp.state == ST_OPEN && tcp.knows_half && !tcp.up_done)
		tcp.half_due = 1;
	halves_update();
	if (tcp.operator_fd != -1)
		operator_flush(-1, 0, NULL);
}

static void
stream_flush(evutil_socket_t fd, short what, void *arg)
{
	struct buf	*b = &tcp.up;
	ssize_t		 n;

	(void)fd;
	(void)arg;
	while (b->len > 0) {
		n = send(tcp.stream_fd, b->data + b->off, b->len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1 && errno == EAGAIN) {
			event_want(&tcp.stream_write, NULL);
			return;
		}
		if (n == -1) {
			stream_lost();
			return;
		}
		b->off += (size_t)n;
		b->len -= (size_t)n;
		tcp.moved_ms = clock_ms();
	}
	if (what & EV_WRITE) {
		halves_update();
		watch_update();
	}
}

/* Which ends have been said: pass them on. */
static void
halves_update(void)
{
	uint16_t	code = ws_peer_code(&tcp.ws);

	if (tcp.state == ST_OPEN && code != 0) {
		if (code != WS_NORMAL && code != WS_NO_STATUS) {
			tcp_close(0, END_LOCAL, "operator broke it off");
			return;
		}
		tcp.state = ST_LAST;
		timer_set(&tcp.last, tcp.eof ? 0 : LAST_MS);
	}
	if (tcp.stream_fd == -1)
		return;
	if (!tcp.up_done && tcp.up.len == 0 &&
	    (ws_half_rcvd(&tcp.ws) || tcp.state == ST_LAST)) {
		tcp.up_done = 1;
		shutdown(tcp.stream_fd, SHUT_WR);
	}
	if (tcp.down_done && (tcp.up_done || !tcp.knows_half) &&
	    tcp.up.len == 0)
		tcp_close(1000, END_CLEAN, NULL);
}

static void
stream_drop(void)
{
	if (tcp.stream_fd == -1)
		return;
	event_del(&tcp.stream_read);
	event_del(&tcp.stream_write);
	close(tcp.stream_fd);
	tcp.stream_fd = -1;
	tcp.up.len = 0;
}

/*
 * The operator has closed, and the service has not: enough. Or it has, and
 * nobody says how.
 */
static void
stream_late(void *arg)
{
	(void)arg;
	if (tcp.state == ST_OPEN)
		stream_lost();
	else
		tcp_close(1000, END_LOCAL, "closed by the operator");
}

/* The end. */

void
tcp_close(uint16_t code, unsigned reason, const char *text)
{
	if (tcp.state == ST_WAIT) {
		refuse(code == 1001 ? 503 : 502, reason,
		    text != NULL ? text : end_reason_name(reason));
		return;
	}
	if (tcp.state == ST_CLOSING)
		return;
	tcp.state = ST_CLOSING;
	if (code != 0)
		ws_close(&tcp.ws, code, text);
	timer_del(&tcp.idle);
	timer_del(&tcp.ping);
	timer_del(&tcp.last);
	/* Before muxd sees an end: authd hears from it then. */
	visit_ended(reason, text != NULL ? text : end_reason_name(reason));
	stream_drop();
	timer_set(&tcp.gone, code == 1000 ? DRAIN_MS : CLOSE_MS);
	if (tcp.operator_fd == -1)
		timer_set(&tcp.gone, 0);
	else
		event_want(&tcp.operator_write, NULL);
}

static void
leave(void *arg)
{
	(void)arg;
	visit_exit();
}

static void
idle_due(void *arg)
{
	uint64_t	idle = clock_ms() - tcp.moved_ms;

	(void)arg;
	if (idle >= tcp.idle_ms)
		tcp_close(1008, END_LIMIT, "closed due to inactivity");
	else
		timer_set(&tcp.idle, tcp.idle_ms - idle);
}

/*
 * Proxies on the way cut what is silent. Who does not answer is not ended for
 * it: it may have stopped reading, as it would from TCP. But one that is gone
 * is, also while it is not read.
 */
static void
ping_due(void *arg)
{
	struct pollfd	pfd = { tcp.operator_fd, 0, 0 };

	(void)arg;
	timer_set(&tcp.ping, PING_MS);
	if (tcp.operator_fd == -1)
		return;
	if (poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR))) {
		operator_gone();
		return;
	}
	if (tcp.down.len == 0)
		tcp.ping_owed = 1;
	operator_flush(-1, 0, NULL);
}

void
tcp_counters(uint64_t *in, uint64_t *out)
{
	*in = tcp.bytes_in;
	*out = tcp.bytes_out;
}
