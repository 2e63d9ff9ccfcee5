/* SPDX-License-Identifier: ISC */
/*
 * The two pumps of a terminal, and its browser's end; the other end is shell.c.
 * Browser to shell: whole WebSocket messages of types 0 and 1. Shell to
 * browser: what it shows. Each pump reads only while the other side takes what
 * it has.
 *
 * With the subprotocol of operator-api.md, 6.6, the browser says what it has
 * drawn, and a terminal that it leaves without a word waits for its operator.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ahead.h"
#include "base/clock.h"
#include "base/compat.h"
#include "http/head.h"
#include "base/log.h"
#include "base/want.h"
#include "imsg/msg.h"
#include "proc/proc.h"
#include "proc/visit.h"
#include "message.h"
#include "out.h"
#include "record.h"
#include "resize.h"
#include "ring.h"
#include "shell.h"
#include "terminal.h"
#include "http/upgrade.h"
#include "ws/ws.h"

#define READ_MAX	65536		/* of the browser at once */
#define MESSAGE_MAX	(1024 * 1024)	/* bytes of a browser's message */
/*
 * What stands between the program and a slow browser is what it has to read
 * before it sees that ^C worked: little here, little in the kernel.
 */
#define HIWAT		(32 * 1024)	/* towards the browser: stop reading */
#define BACK_END	"/api/terminal/"	/* where an existing one asks */
#define NOTSENT_LOWAT	(16 * 1024)	/* the kernel's, unsent */
#define REPLAY_MAX	(16 * 1024)	/* of what is shown again, a frame */
#define MARK_MS		5000	/* without any pong: it knows none */
#define PING_MS		25000		/* below what proxies call idle */
#define PINGS_MAX	3		/* without any byte: nobody is there */
#define CLOSE_MS	4000		/* for the browser's; authd waits 5 s */
#define DRAIN_MS	60000		/* for a slow one to take the rest */
#define RECORDED	"this terminal is recorded"
#define LASTING		"relayd.terminal.1"
#define WINDOW		RING_SIZE	/* bytes that are not acknowledged */
#define ELSEWHERE	4001		/* came back on another connection */
/* While nobody looks a program goes on, at this pace: 640 KB a second. */
#define PACE		(64 * 1024)
#define PACE_MS		100

static void	browser_event(evutil_socket_t, short, void *);
static void	browser_take(uint8_t *, size_t);
static void	browser_message(void *, int, uint8_t *, size_t);
static void	browser_begin(void);
static void	browser_over(void);
static void	browser_send(uint8_t, const void *, size_t);
static void	browser_ping(void);
static void	browser_pong(void *, const uint8_t *, size_t);
static void	browser_flush(void);
static void	browser_write(evutil_socket_t, short, void *);
static void	shown(const uint8_t *, size_t);
static void	shell_moved(size_t);
static int	recorded(void);
static void	reading_update(void);
static void	pace_due(void *);
static void	grace_over(void *);
static void	idle_again(void);
static void	idle_expired(void *);
static void	browser_last(void);
static void	ping_due(void *);
static void	marks_unknown(void *);
static void	terminal_gone(void *);

static const struct shell_ops	shell = {
	.shown = shown,
	.moved = shell_moved,
	.ended = terminal_close,
};

static struct {
	/* set once */
	int		 browser_fd;
	char		 accept[ACCEPT_SIZE];
	uint64_t	 idle_ms;
	struct event	*browser_read, *browser_writable;
	/* state */
	struct ws	 ws;
	struct ws_msg	 msg;
	uint8_t		*early;		/* came behind the head, before 101 */
	size_t		 early_len;
	struct outbuf	 to_browser;
	struct ahead	 ahead;
	int		 closing;
	unsigned	 pings;		/* since the browser's last byte */
	size_t		 unrecorded;	/* at the end of to_browser */
	uint64_t	 closed_ms;
	struct timer	 idle, ping, marks, gone;
	uint64_t	 idle_at;
	/* with LASTING */
	int		 lasts;
	uint64_t	 acked;		/* of ring_total() */
	size_t		 pace_left;
	struct timer	 pace, grace;
	/* statistics */
	uint64_t	 bytes_in, bytes_out;
} terminal = { .browser_fd = -1 };

/* Not touched, and so not there, before a message comes in pieces. */
static uint8_t	message_buf[MESSAGE_MAX];

/* Before 101: an HTTP reply, then out. */
void
terminal_refuse(int status, const char *message)
{
	if (terminal.closing)
		return;
	terminal.closing = 1;
	visit_refuse(terminal.browser_fd, status, message);
	visit_ended(END_LOCAL, message);
	timer_init(&terminal.gone, terminal_gone, NULL);
	timer_set(&terminal.gone, 0);
}

/* NULL, or why it is no upgrade. */
static const char *
head_read(struct httphead *head, const char *accept, const uint8_t *bytes,
    size_t len, int *status)
{
	struct httphead_scan	 scan = { 0 };
	const char		*why = NULL;

	*status = 400;
	if (httphead_request(head, &scan, (const char *)bytes, len, status,
	    &why) == 1 && upgrade_check(head) == 0 &&
	    strlen(accept) == ACCEPT_SIZE - 1)
		return (NULL);
	return (why != NULL ? why : "not a WebSocket upgrade");
}

/* The browser's connection is this one, with what came behind its head. */
static void
browser_set(int fd, const char *accept, const uint8_t *early, size_t len)
{
	int	lowat = NOTSENT_LOWAT;

	terminal.browser_fd = fd;
	/* What does not apply to this kind of socket fails, and may. */
#ifdef TCP_NOTSENT_LOWAT
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat,
	    sizeof(lowat));
#endif
	(void)lowat;
	strlcpy(terminal.accept, accept, sizeof(terminal.accept));
	terminal.early_len = len;
	if (len > 0) {
		if ((terminal.early = malloc(len)) == NULL)
			fatal("terminal");
		memcpy(terminal.early, early, len);
	}
}

int
terminal_browser(int fd, const char *accept, const uint8_t *bytes, size_t len)
{
	struct httphead	 head;
	const char	*why;
	int		 status;

	terminal.browser_fd = fd;
	if ((why = head_read(&head, accept, bytes, len, &status)) != NULL) {
		terminal_refuse(status, why);
		return (-1);
	}
	if (head.path.len > sizeof(BACK_END) - 1 &&
	    memcmp(head.path.s, BACK_END, sizeof(BACK_END) - 1) == 0)
		visit_bare();
	else
		terminal.lasts = httphead_has_token(&head,
		    "Sec-WebSocket-Protocol", LASTING);
	browser_set(fd, accept, bytes + head.head_len, len - head.head_len);
	return (0);
}

static struct event *
watch(int fd, short what, event_callback_fn fn)
{
	struct event	*ev = event_new(proc_base(), fd, what, fn, NULL);

	if (ev == NULL)
		fatalx("terminal: out of memory");
	return (ev);
}

void
terminal_stream(int fd, uint32_t idle_s)
{
	if (terminal.closing) {		/* refused already */
		close(fd);
		return;
	}
	terminal.idle_ms = (uint64_t)idle_s * 1000;
	shell_begin(fd, (size_t)proc_conf()->terminal_frame, &shell);
	timer_init(&terminal.idle, idle_expired, NULL);
	timer_init(&terminal.ping, ping_due, NULL);
	timer_init(&terminal.marks, marks_unknown, NULL);
	timer_init(&terminal.gone, terminal_gone, NULL);
	timer_init(&terminal.pace, pace_due, NULL);
	timer_init(&terminal.grace, grace_over, NULL);
	idle_again();
	browser_begin();
}

static void
browser_hello(void)
{
	uint64_t	now = clock_ms();
	char		text[256];
	int		n;

	n = snprintf(text, sizeof(text), "{\"terminal\":\"%llu\","
	    "\"from\":%llu,\"window\":%u,\"idle\":%llu,"
	    "\"idle_left\":%llu,\"grace\":%llu}",
	    (unsigned long long)visit_stream(),
	    (unsigned long long)ring_from(), WINDOW,
	    (unsigned long long)terminal.idle_ms / 1000,
	    (unsigned long long)(terminal.idle_at > now ?
	    (terminal.idle_at - now) / 1000 : 0),
	    (unsigned long long)proc_conf()->terminal_grace);
	browser_send(FRAME_HELLO, text, (size_t)n);
}

/* What was shown before: it is recorded already. */
static void
browser_replay(void)
{
	const uint8_t	*p;
	uint64_t	 at = ring_from();
	size_t		 n;

	terminal.acked = at;
	for (; (n = ring_at(at, &p)) > 0; at += n) {
		if (n > REPLAY_MAX)
			n = REPLAY_MAX;
		browser_send(FRAME_DATA, p, n);
	}
}

/* There is a browser, the first one or another: answer 101. */
static void
browser_begin(void)
{
	char	reply[256];
	int	n;

	memset(&terminal.msg, 0, sizeof(terminal.msg));
	terminal.msg.buf = message_buf;
	terminal.msg.max = MESSAGE_MAX;
	terminal.msg.on_message = browser_message;
	terminal.msg.on_pong = browser_pong;
	ahead_init(&terminal.ahead);
	terminal.ahead.off = terminal.lasts;	/* it says more */
	ws_init(&terminal.ws, WS_SERVER, &terminal.msg);
	terminal.browser_read = watch(terminal.browser_fd, EV_READ | EV_PERSIST,
	    browser_event);
	terminal.browser_writable =
	    watch(terminal.browser_fd, EV_WRITE, browser_write);
	n = snprintf(reply, sizeof(reply),
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n%s%s\r\n", terminal.accept,
	    terminal.lasts ? "Sec-WebSocket-Protocol: " LASTING "\r\n" : "",
	    record_is_on() ? "X-Support-Recording: on\r\n" : "");
	if (out_add(&terminal.to_browser, reply, (size_t)n) == -1)
		fatal("terminal");
	if (terminal.lasts)
		browser_hello();
	if (record_is_on())
		browser_send(FRAME_ERROR, RECORDED, sizeof(RECORDED) - 1);
	if (terminal.lasts)
		browser_replay();
	terminal.unrecorded = 0;
	terminal.pings = 0;
	timer_set(&terminal.ping, PING_MS);
	if (terminal.early != NULL) {
		browser_take(terminal.early, terminal.early_len);
		free(terminal.early);
		terminal.early = NULL;
	}
	browser_flush();
	reading_update();
}

/* Who comes and goes. */

static void
browser_leave(void)
{
	event_free(terminal.browser_read);
	event_free(terminal.browser_writable);
	terminal.browser_read = terminal.browser_writable = NULL;
	close(terminal.browser_fd);
	terminal.browser_fd = -1;
	explicit_bzero(message_buf, terminal.msg.len);
	out_clear(&terminal.to_browser);
	timer_del(&terminal.ping);
	timer_del(&terminal.marks);
}

/* The connection is of no more use. */
static void
browser_over(void)
{
	if (terminal.closing || !terminal.lasts ||
	    proc_conf()->terminal_grace == 0) {
		terminal_close(0, END_LOCAL, NULL);
		terminal_gone(NULL);
	}
	browser_leave();
	terminal.pace_left = PACE;
	timer_set(&terminal.grace, proc_conf()->terminal_grace * 1000);
	visit_here(0);
	reading_update();
}

/* authd has looked at who it is: the terminal's own operator. */
void
terminal_again(int fd, const char *accept, const uint8_t *bytes, size_t len)
{
	struct httphead	 head;
	const char	*why;
	int		 status = 404;

	why = terminal.closing ? "no such terminal" :
	    head_read(&head, accept, bytes, len, &status);
	if (why == NULL && (!terminal.lasts || !httphead_has_token(&head,
	    "Sec-WebSocket-Protocol", LASTING)))
		why = "subprotocol " LASTING " required";
	if (why != NULL) {
		visit_refuse(fd, status, why);
		close(fd);
		if (terminal.browser_fd == -1 && !terminal.closing)
			visit_here(0);		/* still */
		return;
	}
	if (terminal.browser_fd != -1) {
		ws_close(&terminal.ws, ELSEWHERE, "opened elsewhere");
		browser_last();
		browser_leave();
	}
	timer_del(&terminal.grace);
	timer_del(&terminal.pace);
	browser_set(fd, accept, bytes + head.head_len, len - head.head_len);
	visit_here(1);
	browser_begin();
}

static void
grace_over(void *arg)
{
	(void)arg;
	terminal_close(0, END_LIMIT, "nobody came back");
}

static void
pace_due(void *arg)
{
	(void)arg;
	terminal.pace_left = PACE;
	reading_update();
}

/* Is there room for more of what the program shows? */
static int
output_has_room(void)
{
	if (terminal.browser_fd == -1)
		return (terminal.pace_left > 0);
	if (terminal.lasts && ring_total() - terminal.acked >= WINDOW)
		return (0);
	return (out_left(&terminal.to_browser) < HIWAT &&
	    ahead_has_room(&terminal.ahead));
}

/* Its acknowledgements have to be read behind a whole window. */
static size_t
browser_room(void)
{
	return (terminal.lasts ? 2 * WINDOW : 2 * HIWAT);
}

/*
 * Each side is read only while the other has room; and the browser only while
 * it takes our answers, or its pings would pile up pongs.
 */
static void
reading_update(void)
{
	if (terminal.browser_read != NULL) {
		if (out_left(&terminal.to_browser) < browser_room() &&
		    shell_left() == 0)
			event_want(terminal.browser_read, NULL);
		else
			event_del(terminal.browser_read);
	}
	shell_reading(output_has_room());
}

/* From the browser. */

static void
browser_event(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t	buf[READ_MAX];
	ssize_t		n;

	(void)what;
	(void)arg;
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		shutdown(fd, SHUT_RDWR);
		browser_over();
		return;
	}
	terminal.pings = 0;
	browser_take(buf, (size_t)n);
	browser_flush();
	reading_update();
}

/* A page that is reloaded or left closes with 1001: nobody said "enough". */
static int
browser_comes_back(void)
{
	uint16_t	code = ws_peer_code(&terminal.ws);

	return (terminal.lasts && proc_conf()->terminal_grace > 0 &&
	    code != WS_NORMAL && code != WS_NO_STATUS);
}

static void
idle_again(void)
{
	terminal.idle_at = clock_ms() + terminal.idle_ms;
	timer_set(&terminal.idle, terminal.idle_ms);
}

static void
browser_take(uint8_t *buf, size_t len)
{
	if (ws_input(&terminal.ws, buf, len, NULL) == -1 && !terminal.closing) {
		log_info("terminal: browser broke the protocol: %s",
		    ws_error(&terminal.ws));
		terminal_close(0, END_LOCAL, NULL);
	} else if (ws_state(&terminal.ws) == WS_CLOSE_RCVD &&
	    !browser_comes_back())
		terminal_close(0, END_LOCAL, NULL);
	explicit_bzero(buf, len);	/* people type passwords */
	shell_flush();
}

/* A count of what it has drawn. */
static void
browser_drew(uint64_t n)
{
	if (n > ring_total())
		terminal_close(1008, END_LIMIT, "wrong acknowledgement");
	else if (n > terminal.acked)
		terminal.acked = n;
}

/* 0; -1: no memory. */
static int
browser_resized(const uint8_t *text, size_t len)
{
	char	size[RESIZE_TEXT];
	size_t	n = resize_clamp(text, len, size);
	int	r;

	if (n == 0)
		return (0);
	r = shell_send(FRAME_RESIZE, (uint8_t *)size, n);
	record_resize(size);
	return (recorded() == -1 ? 0 : r);
}

static void
browser_message(void *arg, int opcode, uint8_t *data, size_t len)
{
	const char	*why = NULL;
	uint64_t	 drawn = 0;
	int		 r = 0;

	(void)arg;
	(void)opcode;
	if (len == 0 || terminal.closing)
		return;
	switch (message_read(data, len, terminal.lasts, &drawn, &why)) {
	case MESSAGE_TYPED:
		idle_again();
		r = shell_send(FRAME_DATA, data + 1, len - 1);
		break;
	case MESSAGE_SIZE_IS:
		r = browser_resized(data + 1, len - 1);
		break;
	case MESSAGE_DRAWN:
		browser_drew(drawn);
		return;
	case MESSAGE_STAY:
		idle_again();
		return;
	case MESSAGE_WRONG:
		terminal_close(1008, END_LIMIT, why);
		return;
	}
	if (r == -1)
		terminal_close(1011, END_LIMIT, "out of memory");
	if (terminal.closing)
		return;
	terminal.bytes_out += len - 1;
	explicit_bzero(data, len);	/* in pieces it was gathered */
}

/* What the program shows. */

static void
shown(const uint8_t *p, size_t len)
{
	record_output(p, len);
	if (terminal.lasts)
		ring_add(p, len);
	browser_send(FRAME_DATA, p, len);
	terminal.bytes_in += len;
}

static void
pace_take(size_t n)
{
	terminal.pace_left -= n < terminal.pace_left ? n : terminal.pace_left;
	if (!timer_is_set(&terminal.pace))
		timer_set(&terminal.pace, PACE_MS);
}

/* So much of the stream was read, and is taken; 0: it has room again. */
static void
shell_moved(size_t n)
{
	if (n > 0 && terminal.browser_fd == -1 && !terminal.closing)
		pace_take(n);
	if (n > 0) {
		(void)recorded();
		browser_flush();
	}
	reading_update();
}

/*
 * What came is in the recording before the operator sees it: 0. Or it is not,
 * and is not shown: the terminal ends.
 */
static int
recorded(void)
{
	const char	*why = NULL;
	int		 r = record_flush(&why);

	if (r == -1)
		terminal.to_browser.len -= terminal.unrecorded;
	terminal.unrecorded = 0;
	if (r == -1)
		terminal_close(1011, END_LIMIT, why);
	return (r);
}

/* To the browser. */

static void
browser_send(uint8_t type, const void *p, size_t len)
{
	uint8_t	head[WS_HEADER_MAX + 1];
	size_t	n;

	n = ws_header(head, WS_OP_BINARY, len + 1, NULL);
	head[n++] = type;
	if (terminal.browser_fd == -1 || !ws_may_send(&terminal.ws))
		return;
	ahead_sent(&terminal.ahead, n + len);
	if (out_add(&terminal.to_browser, head, n) == -1 ||
	    out_add(&terminal.to_browser, p, len) == -1)
		fatal("terminal");
	terminal.unrecorded += n + len;
}

/* It carries a mark, also where that is not its purpose: ahead.h. */
static void
browser_ping(void)
{
	uint8_t	head[WS_HEADER_MAX], mark[AHEAD_MARK];
	size_t	n;

	if (!ws_may_send(&terminal.ws))
		return;
	n = ws_header(head, WS_OP_PING, sizeof(mark), NULL);
	ahead_mark(&terminal.ahead, mark, clock_ms());
	if (out_add(&terminal.to_browser, head, n) == -1 ||
	    out_add(&terminal.to_browser, mark, sizeof(mark)) == -1)
		fatal("terminal");
	if (!terminal.ahead.heard && !timer_is_set(&terminal.marks))
		timer_set(&terminal.marks, MARK_MS);
}

static void
browser_pong(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	ahead_pong(&terminal.ahead, p, len, clock_ms());
	if (terminal.ahead.heard)
		timer_del(&terminal.marks);
}

/* A peer that answers no ping would never get more. */
static void
marks_unknown(void *arg)
{
	(void)arg;
	terminal.ahead.off = 1;
	reading_update();
}

/* Its last words, if it takes them now. */
static void
browser_last(void)
{
	uint8_t	ctl[WS_OUTPUT_MAX];
	size_t	n = ws_output(&terminal.ws, ctl, NULL);

	if (out_add(&terminal.to_browser, ctl, n) == -1)
		fatal("terminal");
	(void)out_write(&terminal.to_browser, terminal.browser_fd);
}

static void
browser_flush(void)
{
	uint8_t	ctl[WS_OUTPUT_MAX];
	size_t	n, left;

	if (terminal.browser_fd == -1)
		return;
	if (ws_pending(&terminal.ws)) {
		n = ws_output(&terminal.ws, ctl, NULL);
		if (out_add(&terminal.to_browser, ctl, n) == -1)
			fatal("terminal");
	}
	if (ahead_wants(&terminal.ahead) && !terminal.closing)
		browser_ping();
	left = out_left(&terminal.to_browser);
	if (out_write(&terminal.to_browser, terminal.browser_fd) == -1) {
		browser_over();
		return;
	}
	/* The last output is for a slow browser too. */
	if (terminal.closing && out_left(&terminal.to_browser) < left &&
	    clock_ms() - terminal.closed_ms < DRAIN_MS)
		timer_set(&terminal.gone, CLOSE_MS);
	if (out_left(&terminal.to_browser) > 0)
		event_want(terminal.browser_writable, NULL);
	else if (ws_done(&terminal.ws))
		browser_over();
}

static void
browser_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	terminal.pings = 0;		/* it takes what it is sent */
	browser_flush();
	reading_update();
}

/* The end. */

void
terminal_close(uint16_t code, unsigned reason, const char *text)
{
	const char	*why = NULL;

	if (terminal.closing)
		return;
	terminal.closing = 1;
	terminal.closed_ms = clock_ms();
	if (record_end(&why) == -1)
		terminal.to_browser.len -= terminal.unrecorded;
	terminal.unrecorded = 0;
	if (text != NULL)
		browser_send(FRAME_ERROR, text, strlen(text));
	if (code != 0 && terminal.browser_fd != -1)
		ws_close(&terminal.ws, code, text != NULL ? text :
		    shell_status());
	timer_del(&terminal.idle);
	timer_del(&terminal.ping);
	timer_del(&terminal.marks);
	timer_del(&terminal.pace);
	timer_del(&terminal.grace);
	if (text == NULL)
		text = shell_status()[0] != '\0' ? shell_status() :
		    end_reason_name(reason);
	/* Before muxd sees an end: authd hears from it then. */
	visit_ended(reason, text);
	shell_close();
	timer_set(&terminal.gone, terminal.browser_fd == -1 ? 0 : CLOSE_MS);
	browser_flush();
	reading_update();
}

static void
terminal_gone(void *arg)
{
	(void)arg;
	visit_exit();
}

static void
idle_expired(void *arg)
{
	(void)arg;
	terminal_close(1008, END_LIMIT, "session closed due to inactivity");
}

/* Proxies on the way cut what is silent; a browser that is gone is noticed. */
static void
ping_due(void *arg)
{
	(void)arg;
	/* While the stream is full we do not read what it may answer. */
	if (shell_left() > 0)
		terminal.pings = 0;
	if (terminal.pings++ == PINGS_MAX && terminal.lasts) {
		browser_over();
		return;
	} else if (terminal.pings > PINGS_MAX) {
		terminal_close(1011, END_LOCAL, "browser does not answer");
		return;
	}
	browser_ping();
	browser_flush();
	timer_set(&terminal.ping, PING_MS);
}

void
terminal_counters(uint64_t *in, uint64_t *out)
{
	*in = terminal.bytes_in;
	*out = terminal.bytes_out;
}
