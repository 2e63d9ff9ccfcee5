/* SPDX-License-Identifier: ISC */
/*
 * The two pumps of a terminal. Browser to stream: whole WebSocket messages of
 * types 0 and 1 get a length in front, long ones (what was pasted) are cut
 * into frames. Stream to browser: frames of type 0 lose
 * theirs. Each pump reads only while the other side takes what it has.
 */
#include <sys/socket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <event2/event.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ahead.h"
#include "base/clock.h"
#include "base/compat.h"
#include "http/head.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "proc/proc.h"
#include "proc/visit.h"
#include "record.h"
#include "resize.h"
#include "terminal.h"
#include "http/upgrade.h"
#include "ws/ws.h"

#define FRAME_MAX	65536		/* bytes of one frame, with its type */
#define LENGTH_SIZE	4		/* of the length before it */
#define MESSAGE_MAX	(1024 * 1024)	/* bytes of a browser's message */
#define RESIZE_MAX	256		/* bytes of a resize message */
/*
 * What stands between the program and a slow browser is what it has to read
 * before it sees that ^C worked: little here, little in the kernel.
 */
#define HIWAT		(32 * 1024)	/* towards the browser: stop reading */
#define BACK_END	"/api/terminal/"	/* where an existing one asks */
#define NOTSENT_LOWAT	(16 * 1024)	/* the kernel's, unsent */
#define READ_MAX	(16 * 1024)	/* of the stream at once */
#define MARK_MS		5000	/* without any pong: it knows none */
#define STATUS_SIZE	16	/* "signal 64" and a NUL */
#define LINE_MAX_LEN	1024		/* of the client's reply line */
#define PING_MS		25000		/* below what proxies call idle */
#define PINGS_MAX	3		/* without any byte: nobody is there */
#define CLOSE_MS	4000		/* for the browser's; authd waits 5 s */
#define DRAIN_MS	60000		/* for a slow one to take the rest */
#define RECORDED	"this terminal is recorded"

enum frame_type { FRAME_DATA, FRAME_RESIZE, FRAME_RESERVED, FRAME_ERROR,
    FRAME_STATUS };

/* Bytes on their way out; `off` of them have gone. */
struct outbuf {
	uint8_t	*data;
	size_t	 off, len, cap;
};

static void	browser_event(evutil_socket_t, short, void *);
static void	browser_take(uint8_t *, size_t);
static void	browser_message(void *, int, uint8_t *, size_t);
static void	browser_send(uint8_t, const void *, size_t);
static void	browser_ping(void);
static void	browser_pong(void *, const uint8_t *, size_t);
static void	browser_flush(void);
static void	browser_write(evutil_socket_t, short, void *);
static int	stream_frames(uint8_t, const uint8_t *, size_t);
static void	stream_event(evutil_socket_t, short, void *);
static void	stream_take(void);
static void	stream_frame(const uint8_t *, size_t);
static void	stream_status(const uint8_t *, size_t);
static int	stream_line(void);
static void	stream_flush(void);
static void	stream_write(evutil_socket_t, short, void *);
static void	stream_ended(void);
static int	recorded(void);
static void	reading_update(void);
static void	idle_expired(void *);
static void	ping_due(void *);
static void	marks_unknown(void *);
static void	terminal_gone(void *);
static int	out_add(struct outbuf *, const void *, size_t);
static int	out_write(struct outbuf *, int);

static struct {
	/* set once */
	int		 browser_fd, stream_fd;
	char		 accept[ACCEPT_SIZE];
	uint64_t	 idle_ms;
	size_t		 frame_max;	/* with its type */
	struct event	*browser_read, *browser_writable;
	struct event	*stream_read, *stream_writable;
	/* state */
	struct ws	 ws;
	struct ws_msg	 msg;
	uint8_t		*early;		/* came behind the head, before 101 */
	size_t		 early_len;
	struct outbuf	 to_browser, to_stream;
	struct ahead	 ahead;
	char		 status[STATUS_SIZE];	/* how the shell ended; or "" */
	uint8_t		 in[LENGTH_SIZE + FRAME_MAX];	/* from the stream */
	size_t		 in_len;
	int		 line_seen, closing;
	unsigned	 pings;		/* since the browser's last byte */
	size_t		 unrecorded;	/* at the end of to_browser */
	uint64_t	 closed_ms;
	struct timer	 idle, ping, marks, gone;
	/* statistics */
	uint64_t	 bytes_in, bytes_out;
	unsigned long	 ignored;
} terminal = { .browser_fd = -1, .stream_fd = -1 };

/* Not touched, and so not there, before a message comes in pieces. */
static uint8_t	message_buf[MESSAGE_MAX];

/* What has gone makes room: a buffer that is never empty must not grow. */
static int
out_room(struct outbuf *o, size_t n)
{
	uint8_t	*data;
	size_t	 cap;

	if (o->len + n > o->cap && o->off > 0) {
		o->len -= o->off;
		memmove(o->data, o->data + o->off, o->len);
		o->off = 0;
	}
	if (o->len + n <= o->cap)
		return (0);
	cap = o->cap == 0 ? 4096 : o->cap;
	while (cap < o->len + n)
		cap *= 2;
	if ((data = malloc(cap)) == NULL)
		return (-1);
	if (o->len > 0)
		memcpy(data, o->data, o->len);
	freezero(o->data, o->cap);
	o->data = data;
	o->cap = cap;
	return (0);
}

static int
out_add(struct outbuf *o, const void *p, size_t n)
{
	if (out_room(o, n) == -1)
		return (-1);
	memcpy(o->data + o->len, p, n);
	o->len += n;
	return (0);
}

static size_t
out_left(const struct outbuf *o)
{
	return (o->len - o->off);
}

/* 0: all gone or the socket is full; -1: the far end has. */
static int
out_write(struct outbuf *o, int fd)
{
	ssize_t	n;

	while (o->off < o->len) {
		n = send(fd, o->data + o->off, o->len - o->off,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return (errno == EAGAIN || errno == EWOULDBLOCK ?
			    0 : -1);
		o->off += (size_t)n;
	}
	/* A terminal is mostly idle: keep no large buffer, and no password. */
	if (o->cap > 65536) {
		freezero(o->data, o->cap);
		memset(o, 0, sizeof(*o));
	} else if (o->len > 0) {
		explicit_bzero(o->data, o->len);
		o->off = o->len = 0;
	}
	return (0);
}

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

int
terminal_browser(int fd, const char *accept, const uint8_t *bytes, size_t len)
{
	struct httphead		head;
	struct httphead_scan	scan = { 0 };
	const char		*why = NULL;
	int			 status = 400, lowat = NOTSENT_LOWAT;

	terminal.browser_fd = fd;
	/* What does not apply to this kind of socket fails, and may. */
#ifdef TCP_NOTSENT_LOWAT
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &lowat,
	    sizeof(lowat));
#endif
	(void)lowat;
	strlcpy(terminal.accept, accept, sizeof(terminal.accept));
	if (httphead_request(&head, &scan, (const char *)bytes, len, &status,
	    &why) != 1 || upgrade_check(&head) != 0 ||
	    strlen(accept) != ACCEPT_SIZE - 1) {
		terminal_refuse(status, why != NULL ? why :
		    "not a WebSocket upgrade");
		return (-1);
	}
	if (head.path.len > sizeof(BACK_END) - 1 &&
	    memcmp(head.path.s, BACK_END, sizeof(BACK_END) - 1) == 0)
		visit_bare();
	terminal.early_len = len - head.head_len;
	if (terminal.early_len > 0) {
		if ((terminal.early = malloc(terminal.early_len)) == NULL)
			fatal("terminal");
		memcpy(
		    terminal.early, bytes + head.head_len, terminal.early_len);
	}
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
	char	reply[256];
	int	n;

	if (terminal.closing) {		/* refused already */
		close(fd);
		return;
	}
	terminal.stream_fd = fd;
	terminal.idle_ms = (uint64_t)idle_s * 1000;
	terminal.msg.buf = message_buf;
	terminal.msg.max = MESSAGE_MAX;
	terminal.frame_max = proc_conf()->terminal_frame < FRAME_MAX ?
	    (size_t)proc_conf()->terminal_frame : FRAME_MAX;
	terminal.msg.on_message = browser_message;
	terminal.msg.on_pong = browser_pong;
	ahead_init(&terminal.ahead);
	ws_init(&terminal.ws, WS_SERVER, &terminal.msg);
	terminal.browser_read = watch(terminal.browser_fd, EV_READ | EV_PERSIST,
	    browser_event);
	terminal.browser_writable =
	    watch(terminal.browser_fd, EV_WRITE, browser_write);
	terminal.stream_read = watch(fd, EV_READ | EV_PERSIST, stream_event);
	terminal.stream_writable = watch(fd, EV_WRITE, stream_write);
	timer_init(&terminal.idle, idle_expired, NULL);
	timer_init(&terminal.ping, ping_due, NULL);
	timer_init(&terminal.marks, marks_unknown, NULL);
	timer_init(&terminal.gone, terminal_gone, NULL);
	n = snprintf(reply, sizeof(reply),
	    "HTTP/1.1 101 Switching Protocols\r\n"
	    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
	    "Sec-WebSocket-Accept: %s\r\n%s\r\n", terminal.accept,
	    record_is_on() ? "X-Support-Recording: on\r\n" : "");
	if (out_add(&terminal.to_browser, reply, (size_t)n) == -1)
		fatal("terminal");
	if (record_is_on())
		browser_send(FRAME_ERROR, RECORDED, sizeof(RECORDED) - 1);
	terminal.unrecorded = 0;
	timer_set(&terminal.idle, terminal.idle_ms);
	timer_set(&terminal.ping, PING_MS);
	if (terminal.early != NULL) {
		browser_take(terminal.early, terminal.early_len);
		free(terminal.early);
		terminal.early = NULL;
	}
	browser_flush();
	reading_update();
}

/*
 * Each side is read only while the other has room; and the browser only while
 * it takes our answers, or its pings would pile up pongs.
 */
static void
reading_update(void)
{
	if (terminal.browser_read == NULL)
		return;
	if (out_left(&terminal.to_browser) < 2 * HIWAT &&
	    (terminal.closing || out_left(&terminal.to_stream) == 0))
		event_add(terminal.browser_read, NULL);
	else
		event_del(terminal.browser_read);
	if (terminal.stream_read == NULL)
		return;
	if (out_left(&terminal.to_browser) < HIWAT &&
	    ahead_has_room(&terminal.ahead))
		event_add(terminal.stream_read, NULL);
	else
		event_del(terminal.stream_read);
}

/* From the browser. */

static void
browser_event(evutil_socket_t fd, short what, void *arg)
{
	static uint8_t	buf[FRAME_MAX];
	ssize_t		n;

	(void)what;
	(void)arg;
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		shutdown(fd, SHUT_RDWR);
		terminal_close(0, END_LOCAL, NULL);
		terminal_gone(NULL);
		return;
	}
	terminal.pings = 0;
	browser_take(buf, (size_t)n);
	browser_flush();
	reading_update();
}

static void
browser_take(uint8_t *buf, size_t len)
{
	if (ws_input(&terminal.ws, buf, len, NULL) == -1 && !terminal.closing) {
		log_info("terminal: browser broke the protocol: %s",
		    ws_error(&terminal.ws));
		terminal_close(0, END_LOCAL, NULL);
	} else if (ws_state(&terminal.ws) == WS_CLOSE_RCVD)
		terminal_close(0, END_LOCAL, NULL);
	explicit_bzero(buf, len);	/* people type passwords */
	if (terminal.stream_fd != -1)
		stream_flush();
}

static void
browser_message(void *arg, int opcode, uint8_t *data, size_t len)
{
	char	size[RESIZE_TEXT];
	size_t	n;
	int	r = 0;

	(void)arg;
	(void)opcode;
	if (len == 0 || terminal.closing)
		return;
	if (data[0] != FRAME_DATA && data[0] != FRAME_RESIZE) {
		terminal_close(1008, END_LIMIT, "frame type not allowed");
		return;
	}
	if (data[0] == FRAME_RESIZE && len > RESIZE_MAX) {
		terminal_close(1008, END_LIMIT, "resize message too long");
		return;
	}
	if (data[0] == FRAME_DATA) {
		timer_set(&terminal.idle, terminal.idle_ms);
		r = stream_frames(FRAME_DATA, data + 1, len - 1);
	} else if ((n = resize_clamp(data + 1, len - 1, size)) > 0) {
		r = stream_frames(FRAME_RESIZE, (uint8_t *)size, n);
		record_resize(size);
		if (recorded() == -1)
			return;
	}
	if (r == -1) {
		terminal_close(1011, END_LIMIT, "out of memory");
		return;
	}
	terminal.bytes_out += len - 1;
	explicit_bzero(data, len);	/* in pieces it was gathered */
}

/* One frame, or as many as it takes: a message may be longer than a frame. */
static int
stream_frames(uint8_t type, const uint8_t *p, size_t len)
{
	uint8_t	head[LENGTH_SIZE + 1];
	size_t	n;

	do {
		n = len < terminal.frame_max - 1 ? len : terminal.frame_max - 1;
		head[0] = (uint8_t)((n + 1) >> 24);
		head[1] = (uint8_t)((n + 1) >> 16);
		head[2] = (uint8_t)((n + 1) >> 8);
		head[3] = (uint8_t)(n + 1);
		head[4] = type;
		if (out_add(&terminal.to_stream, head, sizeof(head)) == -1 ||
		    out_add(&terminal.to_stream, p, n) == -1)
			return (-1);
		p += n;
		len -= n;
	} while (len > 0);
	return (0);
}

static void
stream_flush(void)
{
	if (out_left(&terminal.to_stream) == 0)
		return;
	if (out_write(&terminal.to_stream, terminal.stream_fd) == -1)
		return;		/* its reading end says why */
	if (out_left(&terminal.to_stream) > 0)
		event_add(terminal.stream_writable, NULL);
}

static void
stream_write(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	stream_flush();
	reading_update();
}

/* From the stream. */

static void
stream_event(evutil_socket_t fd, short what, void *arg)
{
	size_t	room = sizeof(terminal.in) - terminal.in_len;
	ssize_t	n;

	(void)what;
	(void)arg;
	n = recv(fd, terminal.in + terminal.in_len,
	    room < READ_MAX ? room : READ_MAX, MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		stream_ended();
		return;
	}
	terminal.in_len += (size_t)n;
	stream_take();
	(void)recorded();
	browser_flush();
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

/* The client's `OK` or `ERROR ...`: 1 past it, 0 not whole yet, -1 refused. */
static int
stream_line(void)
{
	char	 text[MESSAGE_SIZE], reason[256];
	uint8_t	*end;
	size_t	 len;

	end = memchr(terminal.in, '\n',
	    terminal.in_len <= LINE_MAX_LEN ? terminal.in_len :
					      LINE_MAX_LEN + 1);
	if (end == NULL && terminal.in_len <= LINE_MAX_LEN)
		return (0);
	len = end != NULL ? (size_t)(end - terminal.in) : 0;
	if (len == 2 && memcmp(terminal.in, "OK", 2) == 0) {
		terminal.line_seen = 1;
		terminal.in_len -= 3;
		memmove(terminal.in, end + 1, terminal.in_len);
		return (1);
	}
	if (len > 6 && memcmp(terminal.in, "ERROR ", 6) == 0)
		log_escape(
		    reason, sizeof(reason), (char *)terminal.in + 6, len - 6);
	else
		strlcpy(reason, "unexpected answer", sizeof(reason));
	snprintf(text, sizeof(text), "terminal not available: %s", reason);
	terminal_close(1011, END_REFUSED, text);
	return (-1);
}

static void
stream_take(void)
{
	const uint8_t	*p;
	size_t		 off = 0, len;

	if (!terminal.line_seen && stream_line() != 1)
		return;
	while (!terminal.closing && terminal.in_len - off >= LENGTH_SIZE) {
		p = terminal.in + off;
		len = (size_t)p[0] << 24 | (size_t)p[1] << 16 |
		    (size_t)p[2] << 8 | p[3];
		if (len > terminal.frame_max) {
			terminal_close(1011, END_LIMIT,
			    "terminal frame too long");
			return;
		}
		if (terminal.in_len - off - LENGTH_SIZE < len)
			break;
		stream_frame(p + LENGTH_SIZE, len);
		off += LENGTH_SIZE + len;
	}
	terminal.in_len -= off;
	memmove(terminal.in, terminal.in + off, terminal.in_len);
}

/* One frame. The other types are ours or nobody's to send. */
static void
stream_frame(const uint8_t *p, size_t len)
{
	if (len > 0 && p[0] == FRAME_DATA) {
		record_output(p + 1, len - 1);
		browser_send(FRAME_DATA, p + 1, len - 1);
		terminal.bytes_in += len - 1;
	} else if (len > 0 && p[0] == FRAME_STATUS)
		stream_status(p + 1, len - 1);
	else
		terminal.ignored++;
}

/* A customer's word: what it means is read, and said in our own. */
static void
stream_status(const uint8_t *p, size_t len)
{
	char	 text[STATUS_SIZE];
	unsigned n;

	if (len >= sizeof(text))
		return;
	memcpy(text, p, len);
	text[len] = '\0';
	if (sscanf(text, "exit %3u", &n) == 1 && n <= 255)
		snprintf(terminal.status, sizeof(terminal.status), "exit %u",
		    n);
	else if (sscanf(text, "signal %2u", &n) == 1 && n >= 1 && n <= 64)
		snprintf(terminal.status, sizeof(terminal.status),
		    "signal %u", n);
}

/*
 * A clean end is end of file without POLLHUP (messages.md, section 2), and not
 * inside a frame.
 */
static void
stream_ended(void)
{
	struct pollfd	pfd = { terminal.stream_fd, POLLIN, 0 };
	int		broken;

	broken = poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLHUP | POLLERR));
	if (!terminal.line_seen)
		terminal_close(1011, END_TUNNEL, "tunnel connect failed");
	else if (broken || terminal.in_len > 0)
		terminal_close(1011, END_TUNNEL,
		    "connection to the system was lost");
	else
		terminal_close(1000, END_CLEAN, NULL);
}

/* To the browser. */

static void
browser_send(uint8_t type, const void *p, size_t len)
{
	uint8_t	head[WS_HEADER_MAX + 1];
	size_t	n;

	n = ws_header(head, WS_OP_BINARY, len + 1, NULL);
	head[n++] = type;
	if (!ws_may_send(&terminal.ws))
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

static void
browser_flush(void)
{
	uint8_t	ctl[WS_OUTPUT_MAX];
	size_t	n, left;

	if (ws_pending(&terminal.ws)) {
		n = ws_output(&terminal.ws, ctl, NULL);
		if (out_add(&terminal.to_browser, ctl, n) == -1)
			fatal("terminal");
	}
	if (ahead_wants(&terminal.ahead) && !terminal.closing)
		browser_ping();
	left = out_left(&terminal.to_browser);
	if (out_write(&terminal.to_browser, terminal.browser_fd) == -1) {
		terminal_close(0, END_LOCAL, NULL);
		terminal_gone(NULL);
	}
	/* The last output is for a slow browser too. */
	if (terminal.closing && out_left(&terminal.to_browser) < left &&
	    clock_ms() - terminal.closed_ms < DRAIN_MS)
		timer_set(&terminal.gone, CLOSE_MS);
	if (out_left(&terminal.to_browser) > 0)
		event_add(terminal.browser_writable, NULL);
	else if (ws_done(&terminal.ws))
		terminal_gone(NULL);
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
	if (code != 0)
		ws_close(&terminal.ws, code, text != NULL ? text :
		    terminal.status);
	timer_del(&terminal.idle);
	timer_del(&terminal.ping);
	timer_del(&terminal.marks);
	if (text == NULL)
		text = terminal.status[0] != '\0' ? terminal.status :
		    end_reason_name(reason);
	/* Before muxd sees an end: authd hears from it then. */
	visit_ended(reason, text);
	event_free(terminal.stream_read);
	event_free(terminal.stream_writable);
	terminal.stream_read = terminal.stream_writable = NULL;
	close(terminal.stream_fd);
	terminal.stream_fd = -1;
	explicit_bzero(terminal.in, sizeof(terminal.in));
	timer_set(&terminal.gone, CLOSE_MS);
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
	if (out_left(&terminal.to_stream) > 0)
		terminal.pings = 0;
	if (terminal.pings++ == PINGS_MAX) {
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
