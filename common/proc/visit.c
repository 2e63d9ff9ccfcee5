/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "http/reply.h"
#include "imsg/msg.h"
#include "link.h"
#include "proc.h"
#include "visit.h"

#define STREAM_WAIT_MS	10000	/* for authd's word after the connection */
#define FILES_MAX	16
#define RETRY_S		5	/* behind a 503 */

enum state { ST_EMPTY, ST_WAIT, ST_OPEN };
/* What authd may say: its word on the connection, then only how it ends. */
enum { LK_WORD, LK_OPEN };

static int	give(struct chan *, struct imsg *);
static int	term_stream(struct chan *, struct imsg *);
static int	term_record(struct chan *, struct imsg *);
static int	term_refuse(struct chan *, struct imsg *);
static int	term_close(struct chan *, struct imsg *);
static int	term_over(struct chan *, struct imsg *);
static void	authd_came(int);
static void	authd_gone(enum link_end);
static void	stream_late(void *);
static void	visit_stop(void);
static void	say_no(int, const char *);
static void	say_no_service(const char *);
static void	say_ended(void);

static const struct dispatch	parent_table[] = {
	PROC_ROWS
	{ IMSG_GIVE, R_PARENT, S(ST_EMPTY) | S(ST_OPEN), 0, give },
};

static const struct dispatch	authd_table[] = {
	{ IMSG_TERM_STREAM, R_AUTHD, S(LK_WORD), MF_ONCE, term_stream },
	{ IMSG_TERM_RECORD, R_AUTHD, S(LK_WORD), MF_ONCE, term_record },
	{ IMSG_TERM_REFUSE, R_AUTHD, S(LK_WORD), MF_ONCE, term_refuse },
	{ IMSG_TERM_OVER, R_AUTHD, S(LK_WORD) | S(LK_OPEN), MF_ONCE,
	    term_over },
	{ IMSG_CLOSE, R_AUTHD, S(LK_WORD) | S(LK_OPEN), 0, term_close },
};

static const struct link_ops	authd = {
	.table = authd_table,
	.rows = sizeof(authd_table) / sizeof(authd_table[0]),
	.came = authd_came,
	.gone = authd_gone,
};

static struct proc_ops	proc = {
	.table = parent_table,
	.rows = sizeof(parent_table) / sizeof(parent_table[0]),
	.files = FILES_MAX,
	.channel = link_take,
	.stop = visit_stop,
};

/*
 * authd's word on the connection, yes or no. It may be quicker than the parent
 * with the connection itself.
 */
struct word {
	int		 fd;		/* the stream's end; -1: not said */
	uint32_t	 idle_s;
	int		 status;	/* refused; 0: not said */
	char		 message[MESSAGE_SIZE];
};

static struct {
	const struct visit_ops	*ops;
	enum state	 state;
	struct timer	 late;
	char		 session[UUID_SIZE];
	char		 service[SERVICE_SIZE];
	char		 operator[WHO_SIZE];
	char		 request[REQUEST_SIZE];	/* for the log, "" */
	int		 bare;
	int		 alone;		/* its operator is not there */
	uint64_t	 stream;
	struct word	 word;
	/* what a new authd has not heard */
	int		 ended;
	unsigned	 end_reason;
	char		 end_text[MESSAGE_SIZE];
} visit = { .word = { .fd = -1 } };

void
visit_main(const struct visit_ops *ops, int argc, char **argv)
{
	visit.ops = ops;
	proc.role = ops->role;
	link_init(&authd);
	proc_main(&proc, argc, argv);
}

static void
set_state(enum state state)
{
	static const char *const	names[] = { "empty", "waiting",
	    "open" };

	log_debug("%s: %s", visit.ops->word, names[state]);
	visit.state = state;
	if (proc_parent() != NULL)
		chan_set_state(proc_parent(), state);
	proc_title("%s %s", names[state], visit.session);
}

/* The first refusal counts, and waits for the connection where it must. */
static void
say_no(int status, const char *message)
{
	struct word	*w = &visit.word;

	if (w->status == 0) {
		w->status = status;
		strlcpy(w->message, message, sizeof(w->message));
	}
	if (visit.state == ST_WAIT)
		visit.ops->refuse(w->status, w->message);
}

static void
say_no_service(const char *what)
{
	char	text[MESSAGE_SIZE];

	snprintf(text, sizeof(text), "%s service %s", visit.ops->word, what);
	say_no(503, text);
}

/* authd's word and the connection are both here: begin. */
static void
visit_begin(void)
{
	struct word	*w = &visit.word;

	timer_del(&visit.late);
	if (w->status != 0) {
		visit.ops->refuse(w->status, w->message);
		return;
	}
	set_state(ST_OPEN);
	link_set_state(LK_OPEN);
	visit.ops->stream(w->fd, w->idle_s);
	w->fd = -1;
}

static int
give(struct chan *c, struct imsg *m)
{
	struct msg_give	 in;

	(void)c;
	if (get_give(m, &in) == -1 || in.class != visit.ops->class)
		return (-1);
	if (request_is(in.request, strlen(in.request)))
		strlcpy(visit.request, in.request, sizeof(visit.request));
	if (visit.state == ST_OPEN) {
		if (visit.ops->again == NULL)
			return (-1);
		visit.ops->again(m_take_fd(m), in.accept, in.bytes.p,
		    in.bytes.len);
		return (0);
	}
	log_request(visit.request);
	set_state(ST_WAIT);
	if (visit.ops->operator(m_take_fd(m), in.accept, in.bytes.p,
	    in.bytes.len) == -1)
		return (0);
	timer_init(&visit.late, stream_late, NULL);
	timer_set(&visit.late, STREAM_WAIT_MS);
	if (visit.word.fd != -1 || visit.word.status != 0)
		visit_begin();
	return (0);
}

static int
term_stream(struct chan *c, struct imsg *m)
{
	struct msg_term_stream	 in;

	(void)c;
	if (get_term_stream(m, &in) == -1)
		return (-1);
	visit.stream = in.stream;
	strlcpy(visit.session, in.session, sizeof(visit.session));
	strlcpy(visit.service, in.service, sizeof(visit.service));
	strlcpy(visit.operator, in.operator, sizeof(visit.operator));
	visit.word.idle_s = in.idle_s;
	visit.word.fd = m_take_fd(m);
	if (visit.state == ST_WAIT)
		visit_begin();
	return (0);
}

/* Before TERM_STREAM: what is to be recorded is so from the start. */
static int
term_record(struct chan *c, struct imsg *m)
{
	struct msg_term_record	 in;

	(void)c;
	if (get_term_record(m, &in) == -1 || visit.word.fd != -1 ||
	    visit.ops->record == NULL)
		return (-1);
	visit.ops->record(m_take_fd(m), in.room);
	return (0);
}

static int
term_refuse(struct chan *c, struct imsg *m)
{
	struct msg_term_refuse	 in;

	(void)c;
	if (get_term_refuse(m, &in) == -1 || in.status < 400 ||
	    in.status > 599)
		return (-1);
	say_no(in.status, in.message);
	return (0);
}

static int
term_close(struct chan *c, struct imsg *m)
{
	struct msg_close	 in;

	(void)c;
	if (get_close(m, &in) == -1 || in.code < 1000 || in.code > 4999)
		return (-1);
	if (visit.state == ST_OPEN)
		visit.ops->close(in.code, END_SESSION, in.reason);
	else
		say_no(503, in.reason);
	return (0);
}

static int
term_over(struct chan *c, struct imsg *m)
{
	struct msg_term_over	 in;

	(void)c;
	if (get_term_over(m, &in) == -1 || in.why >= END_COUNT ||
	    visit.ops->over == NULL)
		return (-1);
	visit.ops->over(in.why);
	return (0);
}

static void
stream_late(void *arg)
{
	(void)arg;
	say_no_service("did not answer in time");
}

/* authd has restarted: what only we know (messages.md, section 4). */
static void
announce(void)
{
	struct chan	*c = link_chan();
	uint64_t	in, out;

	visit.ops->counters(&in, &out);
	(void)say_announce(c, 0, -1, &(struct msg_announce){
	    .up = 1, .streams = 1 });
	(void)say_announce_stream(c, 0, -1,
	    &(struct msg_announce_stream){
	    .stream = visit.stream, .service = visit.service, .in = in,
	    .out = out, .tag = { "", 0 } });
	(void)say_announce_end(c, 0);
	if (visit.alone)
		visit_here(0);
	if (visit.ended)
		say_ended();
}

/* What is open outlives authd; what waits for its word does not. */
static void
authd_gone(enum link_end how)
{
	(void)how;
	if (visit.state != ST_OPEN && visit.word.fd == -1)
		say_no_service("is restarting");
}

static void
authd_came(int again)
{
	(void)again;
	if (visit.state == ST_OPEN)
		announce();
}

static void
say_ended(void)
{
	if (link_chan() == NULL)
		return;
	(void)say_term_end(link_chan(), 0, -1, &(struct msg_term_end){
	    .why = (uint8_t)visit.end_reason, .text = visit.end_text });
}

uint64_t
visit_stream(void)
{
	return (visit.stream);
}

void
visit_here(int here)
{
	log_info("session %s: %s of %s: %s", visit.session, visit.ops->word,
	    visit.operator, here ? "back" : "left, and waits");
	visit.alone = !here;
	if (link_chan() != NULL)
		(void)say_term_here(link_chan(), 0, -1, &(struct msg_term_here){
		    .here = here != 0 });
}

void
visit_bare(void)
{
	visit.bare = 1;
}

static long
refusal_bare(char *buf, size_t size, int status, const char *message)
{
	char	body[REPLY_MAX / 2], text[REPLY_MAX / 2 - 16];
	int	len, n;

	if (reply_json_escape(text, sizeof(text), message) == -1)
		text[0] = '\0';
	len = snprintf(body, sizeof(body), "{\"error\":\"%s\"}", text);
	n = snprintf(buf, size, "HTTP/1.1 %d %s\r\n"
	    "X-Request-Id: %s\r\nContent-Type: application/json; "
	    "charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n"
	    "\r\n%s", status, reply_reason(status), visit.request, len, body);
	return (n < 0 || (size_t)n >= size ? -1 : n);
}

void
visit_refuse(int fd, int status, const char *message)
{
	char	buf[REPLY_MAX];
	long	n;

	n = visit.bare && status < 500 ? refusal_bare(buf, sizeof(buf),
	    status, message) : reply_refusal(buf, sizeof(buf), status,
	    message, status == 503 ? RETRY_S : 0, visit.request, NULL);
	if (n > 0 && send(fd, buf, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    -1)
		log_debug("refusal not sent: %s", strerror(errno));
	shutdown(fd, SHUT_WR);
}

void
visit_ended(unsigned reason, const char *text)
{
	const char	*word = visit.ops->word;
	int		 same = strcmp(word, visit.service) == 0;

	log_request(visit.request);
	if (visit.operator[0] != '\0')
		log_info("session %s: %s%s%s of %s closed: %s", visit.session,
		    word, same ? "" : " ", same ? "" : visit.service,
		    visit.operator, text);
	else
		log_info("%s refused: %s", word, text);
	visit.ended = 1;
	visit.end_reason = reason;
	strlcpy(visit.end_text, text, sizeof(visit.end_text));
	say_ended();
}

void
visit_exit(void)
{
	link_flush();
	proc_exit(0);
}

static void
visit_stop(void)
{
	if (visit.state == ST_EMPTY)
		visit_exit();
	if (visit.state == ST_WAIT)
		say_no(503, "server is stopping");
	else
		visit.ops->close(1001, END_SESSION, "server is stopping");
}
