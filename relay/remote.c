/* SPDX-License-Identifier: ISC */
/*
 * The story, in order: the way to it; raw, and how large we are; what is typed;
 * what it shows; the end.
 */
#include <cjson/cJSON.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "base/compat.h"
#include "base/log.h"
#include "relay.h"
#include "remote.h"
#include "tty.h"
#include "way.h"
#include "wire.h"

#define MESSAGE_MAX	66000	/* of the server: a frame of a stream */
#define READ_MAX	16384	/* at once: what ^C waits behind */
#define TYPED_MAX	4096
#define TTY_WRITE	1024	/* what a terminal takes, and does not wait */
#define CLOSE_MS	4000	/* for the server's close */
#define QUIET_MS	500	/* then it may wait for what is typed */
#define WHY_SIZE	512
#define END_OF_INPUT	4	/* ^D */
#define ACK_EACH	32768
#define ACK_SIZE	8
#define RETRY_MS	1000
#define NUMBER_SIZE	21

enum { FRAME_DATA = 0, FRAME_RESIZE = 1, FRAME_TEXT = 3,
    FRAME_ACK = 5, FRAME_HELLO = 6 };

static struct {
	struct way	*way;
	struct wire	 wire;
	struct ws_msg	 msg;
	uint8_t		 pieces[MESSAGE_MAX];
	struct escape	 escape;
	int		 is_tty;	/* what is typed on */
	uint8_t		 typed[TYPED_MAX];	/* and not looked at */
	size_t		 typed_off, typed_len;
	int		 typed_all;	/* nothing more will be */
	int		 say_end;	/* so ^D is due */
	int		 say_size;
	int		 leaving;	/* the server's close is all we wait for */
	int		 status;	/* then */
	uint8_t		 show[MESSAGE_MAX + WIRE_MAX];
	size_t		 show_off, show_len;
	/* where the server can wait for us: operator-api.md, 6.6 */
	char		 number[NUMBER_SIZE];	/* "": it cannot */
	uint64_t	 grace_ms, lost_ms;
	uint64_t	 at, have;	/* bytes of output: so far on this
					   connection, and that we know */
	uint64_t	 acked;
	int		 say_ack;
	int		 begun;
	struct timer	 retry;
	char		 said[WHY_SIZE];	/* the last text of the server */
	struct event	 ev_in, ev_out, ev_winch, ev_cont, ev_hup, ev_term;
	struct timer	 timer;		/* for its close; or to say ^D */
} term;

static void	term_open(void *, enum ended, struct sock *, const char *,
		    size_t, const char *);
static void	term_update(void *);
static void	term_listen(void);
static void	term_silent(void *);
static void	term_resized(evutil_socket_t, short, void *);
static void	term_hangup(evutil_socket_t, short, void *);
static void	typed_read(evutil_socket_t, short, void *);
static void	typed_fill(void *);
static void	typed_end(void *);
static void	shown_read(void *);
static void	shown_message(void *, int, uint8_t *, size_t);
static void	shown_hello(const char *, size_t);
static void	shown_data(const uint8_t *, size_t);
static void	ack_frame(void);
static void	shown_write(evutil_socket_t, short, void *);
static void	term_leave(const char *, int);
static void	term_late(void *);
static void	term_lost(const char *);
static void	term_again(void *);
static void	term_closed(void);
static void	term_end(int, const char *);

int
remote_start(const struct escape *e)
{
	term.escape = *e;
	term.is_tty = tty_is();
	term.status = REMOTE_FAILED;
	timer_init(&term.timer, typed_end, NULL);
	timer_init(&term.retry, term_again, NULL);
	if (!term.is_tty)
		term.escape.ch = ESCAPE_NONE;
	term.way = way_start(NULL, term_open, NULL);
	return (term.way == NULL ? -1 : 0);
}

static void
on(struct event *ev, int fd, short what, event_callback_fn fn)
{
	event_assign(ev, net_base(), fd, what, fn, NULL);
	if (what & EV_SIGNAL)
		event_add(ev, NULL);
}

static void
term_begin(void)
{
	term.begun = 1;
	on(&term.ev_in, STDIN_FILENO, EV_READ | EV_PERSIST, typed_read);
	on(&term.ev_out, STDOUT_FILENO, EV_WRITE, shown_write);
	on(&term.ev_winch, SIGWINCH, EV_SIGNAL | EV_PERSIST, term_resized);
	on(&term.ev_cont, SIGCONT, EV_SIGNAL | EV_PERSIST, term_resized);
	on(&term.ev_hup, SIGHUP, EV_SIGNAL | EV_PERSIST, term_hangup);
	on(&term.ev_term, SIGTERM, EV_SIGNAL | EV_PERSIST, term_hangup);
	if (term.is_tty)
		tty_raw();
}

static void
term_open(void *arg, enum ended how, struct sock *s, const char *early,
    size_t len, const char *why)
{
	static uint8_t	 early_buf[WIRE_MAX];
	struct wire	*w = &term.wire;

	(void)arg;
	term.way = NULL;
	if (how == ENDED_UNREACHED && term.begun &&
	    clock_ms() - term.lost_ms < term.grace_ms) {
		timer_set(&term.retry, RETRY_MS);
		return;
	}
	if (how != ENDED_WELL) {
		term_end(REMOTE_FAILED, why);
		return;
	}
	memset(&term.msg, 0, sizeof(term.msg));
	w->off = w->len = 0;
	w->lost = 0;
	term.msg.buf = term.pieces;
	term.msg.max = sizeof(term.pieces);
	term.msg.on_message = shown_message;
	ws_init(&w->ws, WS_CLIENT, &term.msg);
	w->readable = shown_read;
	w->fill = typed_fill;
	w->wrote = term_update;
	w->silent = term_silent;
	wire_open(w, s);
	if (!term.begun)
		term_begin();
	term.say_size = 1;
	memcpy(early_buf, early, len < sizeof(early_buf) ? len : 0);
	if (len > 0 && (len >= sizeof(early_buf) ||
	    ws_input(&w->ws, early_buf, len, NULL) == -1)) {
		term_end(REMOTE_FAILED, ws_error(&w->ws));
		return;
	}
	wire_write(w);
	shown_write(-1, 0, NULL);
}

/* Each side is read when the other has taken what it was given. */
static void
term_update(void *arg)
{
	if (term.wire.up)
		term_listen();
	if (term.show_len > 0)
		event_add(&term.ev_out, NULL);
	(void)arg;
}

static void
term_listen(void)
{
	int	was = event_pending(&term.ev_in, EV_READ, NULL);
	int	want = !term.typed_all && !term.leaving && !term.wire.lost &&
		    term.typed_len == 0 && ws_may_send(&term.wire.ws);

	if (want && !was)
		event_add(&term.ev_in, NULL);
	else if (!want && was)
		event_del(&term.ev_in);
	wire_listen(&term.wire, term.show_len == 0);
}

static void
term_silent(void *arg)
{
	(void)arg;
	term_lost("the server is silent");
}

/* Also when we were stopped, and go on: somebody else had the terminal. */
static void
term_resized(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	(void)arg;
	if (term.leaving)
		return;
	if (sig == SIGCONT && term.is_tty)
		tty_raw();
	term.say_size = 1;
	if (term.wire.up)
		wire_write(&term.wire);
}

static void
term_hangup(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	(void)arg;
	term_leave(strsignal(sig), REMOTE_FAILED);
}

/* Typed. */

static void
typed_read(evutil_socket_t fd, short what, void *arg)
{
	ssize_t	n = read(STDIN_FILENO, term.typed, sizeof(term.typed));

	(void)fd;
	(void)what;
	(void)arg;
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		term.typed_off = 0;
		term.typed_len = (size_t)n;
	} else if (term.is_tty) {
		term_leave("the terminal is gone", REMOTE_FAILED);
		return;
	} else
		term.typed_all = term.say_end = 1;
	wire_write(&term.wire);
}

static void
help(void)
{
	fprintf(stderr, "\r\n%c.   leave: this ends the shell\r\n"
	    "%c^Z  stop relay, and continue it with fg\r\n"
	    "%c%c   the character itself\r\n"
	    "At the begin of a line alone; all else goes to the shell.\r\n",
	    term.escape.ch, term.escape.ch, term.escape.ch, term.escape.ch);
}

static void
for_us(enum escaped what)
{
	if (what == ESCAPED_HELP)
		help();
	else if (what == ESCAPED_LEAVE)
		term_leave("left", EXIT_DONE);
	else if (what == ESCAPED_STOP) {
		tty_back();
		(void)kill(0, SIGTSTP);
		tty_raw();		/* nobody may have stopped us */
	}
}

static void
size_frame(void)
{
	int	cols, rows, n;

	tty_size(&cols, &rows);
	n = snprintf((char *)wire_room(&term.wire), WIRE_MAX,
	    "%c{\"cols\":%d,\"rows\":%d}", FRAME_RESIZE, cols, rows);
	wire_frame(&term.wire, WS_OP_BINARY, (size_t)n);
}

/* What is drawn; what lies in front of the terminal is not. */
static void
ack_frame(void)
{
	uint8_t		*p = wire_room(&term.wire);
	int		 i;

	term.acked = term.at - term.show_len;
	p[0] = FRAME_ACK;
	for (i = 0; i < ACK_SIZE; i++)
		p[1 + i] = (uint8_t)(term.acked >> (8 * (ACK_SIZE - 1 - i)));
	wire_frame(&term.wire, WS_OP_BINARY, 1 + ACK_SIZE);
}

static void
typed_fill(void *arg)
{
	uint8_t		*p = wire_room(&term.wire);
	enum escaped	 what;
	size_t		 used, n = 0;

	(void)arg;
	if (term.leaving)
		return;
	if (term.say_ack) {
		term.say_ack = 0;
		ack_frame();
		return;
	}
	if (term.say_size) {
		term.say_size = 0;
		size_frame();
		return;
	}
	p[0] = FRAME_DATA;
	if (term.typed_len > 0) {
		what = escape_take(&term.escape, term.typed + term.typed_off,
		    term.typed_len, &used, p + 1, &n);
		term.typed_off += used;
		term.typed_len -= used;
		if (n > 0)
			wire_frame(&term.wire, WS_OP_BINARY, n + 1);
		if (what != ESCAPED_NOT)
			for_us(what);
	} else if (term.say_end) {
		term.say_end = 0;
		p[1] = END_OF_INPUT;
		wire_frame(&term.wire, WS_OP_BINARY, 2);
	}
}

/*
 * The end of our input, again: one ^D is read once, if at all, but whoever asks
 * from now on is to see it. Who asks has shown something, and waits.
 */
static void
typed_end(void *arg)
{
	(void)arg;
	term.say_end = 1;
	if (term.wire.up)
		wire_write(&term.wire);
}

/* Shown. */

static void
shown_text(const uint8_t *p, size_t len)
{
	log_escape(term.said, sizeof(term.said), (const char *)p, len);
	fprintf(stderr, "%srelay: %s%s\n", term.is_tty ? "\r\n" : "",
	    term.said, term.is_tty ? "\r" : "");
}

/* The server can wait for us, and says where what follows begins. */
static void
shown_hello(const char *text, size_t len)
{
	cJSON		*doc = cJSON_ParseWithLength(text, len);
	const char	*number = api_text(doc, "terminal");
	const cJSON	*from, *grace;

	from = cJSON_GetObjectItemCaseSensitive(doc, "from");
	grace = cJSON_GetObjectItemCaseSensitive(doc, "grace");
	if (*number != '\0' && strlen(number) < NUMBER_SIZE &&
	    strspn(number, "0123456789") == strlen(number) &&
	    cJSON_IsNumber(from) && from->valuedouble >= 0 &&
	    from->valuedouble < 9e15 && cJSON_IsNumber(grace) &&
	    grace->valuedouble >= 0 && grace->valuedouble < 1e6) {
		strlcpy(term.number, number, sizeof(term.number));
		term.grace_ms = (uint64_t)grace->valuedouble * 1000;
		term.at = term.acked = (uint64_t)from->valuedouble;
		if (term.have < term.at)
			term.have = term.at;
	}
	cJSON_Delete(doc);
}

/* What we have seen before is not shown again. */
static void
shown_data(const uint8_t *p, size_t len)
{
	size_t	known = 0;

	if (term.have > term.at)
		known = term.have - term.at < len ?
		    (size_t)(term.have - term.at) : len;
	term.at += len;
	if (term.at > term.have)
		term.have = term.at;
	len -= known;
	if (len > sizeof(term.show) - term.show_off - term.show_len)
		return;		/* one read has no more */
	memmove(term.show + term.show_off + term.show_len, p + known, len);
	term.show_len += len;
}

static void
shown_message(void *arg, int opcode, uint8_t *p, size_t len)
{
	(void)arg;
	if (opcode != WS_OP_BINARY || len == 0 || term.leaving)
		return;
	if (p[0] == FRAME_TEXT)
		shown_text(p + 1, len - 1);
	else if (p[0] == FRAME_HELLO)
		shown_hello((const char *)p + 1, len - 1);
	else if (p[0] == FRAME_DATA)
		shown_data(p + 1, len - 1);
}

static void
shown_read(void *arg)
{
	static uint8_t	buf[READ_MAX];
	ssize_t		n;

	(void)arg;
	if (term.show_len > 0)
		return;
	n = wire_read(&term.wire, buf, sizeof(buf));
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		term_update(NULL);
		return;
	}
	term.show_off = 0;
	if (n <= 0 && term.leaving)
		term_end(term.status, "");
	else if (n <= 0)
		term_lost("the connection to the server was lost");
	else if (ws_input(&term.wire.ws, buf, (size_t)n, NULL) == -1)
		term_end(term.status, ws_error(&term.wire.ws));
	else
		shown_write(-1, 0, NULL);
}

static void
shown_write(evutil_socket_t fd, short what, void *arg)
{
	ssize_t	n;

	(void)fd;
	(void)arg;
	if (term.show_len > 0 && (what & EV_WRITE)) {
		n = write(STDOUT_FILENO, term.show + term.show_off,
		    term.show_len > TTY_WRITE ? TTY_WRITE : term.show_len);
		if (n == -1 && errno != EAGAIN && errno != EINTR) {
			term_leave(strerror(errno), REMOTE_FAILED);
			return;
		}
		term.show_off += n > 0 ? (size_t)n : 0;
		term.show_len -= n > 0 ? (size_t)n : 0;
		if (term.typed_all && !term.leaving)
			timer_set(&term.timer, QUIET_MS);
	}
	if (term.number[0] != '\0' && (term.at - term.acked >= ACK_EACH ||
	    term.show_len == 0) && term.at - term.show_len > term.acked)
		term.say_ack = 1;
	if (!term.wire.up)
		term_update(NULL);
	else if (term.show_len == 0 && ws_peer_code(&term.wire.ws) != 0)
		term_closed();
	else if (ws_pending(&term.wire.ws) || term.say_ack)
		wire_write(&term.wire);
	else
		term_update(NULL);
}

/* The end. */

/* Say so, for the access log; the terminal is the operator's again at once. */
static void
term_leave(const char *why, int status)
{
	if (term.leaving)
		return;
	if (!term.wire.up) {
		term_end(status, why);
		return;
	}
	term.leaving = 1;
	term.status = status;
	term.show_len = 0;
	tty_back();
	fprintf(stderr, "%srelay: %s\n", term.is_tty ? "\n" : "", why);
	timer_init(&term.timer, term_late, NULL);
	timer_set(&term.timer, CLOSE_MS);
	ws_close(&term.wire.ws, WS_NORMAL, NULL);
	wire_write(&term.wire);
}

/* The same shell once more, as long as the server keeps it. */
static void
term_lost(const char *why)
{
	if (term.number[0] == '\0' || term.leaving || term.grace_ms == 0) {
		term_end(term.status, why);
		return;
	}
	fprintf(stderr, "%srelay: %s, trying again%s\n", term.is_tty ?
	    "\r\n" : "", why, term.is_tty ? "\r" : "");
	wire_close(&term.wire);
	event_del(&term.ev_in);
	term.lost_ms = clock_ms();
	timer_set(&term.retry, 0);
}

static void
term_again(void *arg)
{
	(void)arg;
	term.way = way_back(term.number, term_open, NULL);
	if (term.way == NULL)
		term_end(REMOTE_FAILED, "out of memory");
}

static void
term_late(void *arg)
{
	(void)arg;
	term_end(term.status, "");
}

/* By the server: what its reason says of the shell. */
static void
term_closed(void)
{
	const char	*reason;
	char		 shown[WHY_SIZE];
	size_t		 len = ws_peer_reason(&term.wire.ws, &reason);
	unsigned	 n;

	log_escape(shown, sizeof(shown), reason, len);
	if (term.leaving)
		term_end(term.status, "");
	else if (ws_peer_code(&term.wire.ws) != WS_NORMAL)
		term_end(REMOTE_FAILED, strcmp(shown, term.said) == 0 ? "" :
		    *shown == '\0' ? "closed by the server" : shown);
	else if (sscanf(shown, "exit %3u", &n) == 1)
		term_end((int)(n & 0xff), "");
	else if (sscanf(shown, "signal %2u", &n) == 1)
		term_end((int)(128 + n), shown);
	else
		term_end(EXIT_DONE, shown);
}

static void
term_end(int status, const char *why)
{
	char	text[WHY_SIZE];
	int	was_up = term.begun;

	strlcpy(text, why, sizeof(text));
	timer_del(&term.timer);
	timer_del(&term.retry);
	if (term.way != NULL)
		way_cancel(term.way);
	term.way = NULL;
	if (was_up) {
		event_del(&term.ev_in);
		event_del(&term.ev_out);
		event_del(&term.ev_winch);
		event_del(&term.ev_cont);
		event_del(&term.ev_hup);
		event_del(&term.ev_term);
	}
	wire_close(&term.wire);
	tty_back();
	explicit_bzero(term.typed, sizeof(term.typed));
	if (*text != '\0') {
		if (was_up && term.is_tty)
			fputc('\n', stderr);
		say("%s", text);
	}
	tool_end(status);
}
