/* SPDX-License-Identifier: ISC */
/*
 * termd: one operator terminal.
 *
 * May touch: the browser's socket, one stream end, and where terminals are
 * recorded the end of one file. No other file, no key, no other socket; it
 * cannot open any.
 * Hears from: the parent (GIVE once: the browser's connection; STOP) and authd
 * (TERM_STREAM, before it maybe TERM_RECORD, or TERM_REFUSE once, then CLOSE).
 * States: ST_EMPTY until the connection is here, ST_WAIT until authd has said
 * yes, ST_OPEN; a message in another state ends its sender. What authd says may
 * be here before the connection and waits for it.
 * Starts in main(); the story goes on in terminal.c.
 */
#include <event2/event.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "base/log.h"
#include "imsg/msg.h"
#include "proc/link.h"
#include "proc/proc.h"
#include "record.h"
#include "terminal.h"

#define STREAM_WAIT_MS	10000	/* for authd's word after the connection */
#define FILES_MAX	16

enum state { ST_EMPTY, ST_WAIT, ST_OPEN };
/* What authd may say: its word on the connection, then only how it ends. */
enum { LK_WORD, LK_OPEN };

static void	termd_ended(unsigned, const char *);
static void	termd_exit(void) __attribute__((noreturn));

static int	give(struct chan *, struct imsg *);
static int	term_stream(struct chan *, struct imsg *);
static int	term_record(struct chan *, struct imsg *);
static int	term_refuse(struct chan *, struct imsg *);
static int	term_close(struct chan *, struct imsg *);
static void	authd_came(int);
static void	authd_gone(enum link_end);
static void	stream_late(void *);
static void	term_stop(void);
static void	say_no(int, const char *);
static void	say_ended(void);

static const struct dispatch	parent_table[] = {
	PROC_ROWS
	{ IMSG_GIVE, R_PARENT, S(ST_EMPTY), MF_ONCE, give },
};

static const struct dispatch	authd_table[] = {
	{ IMSG_TERM_STREAM, R_AUTHD, S(LK_WORD), MF_ONCE, term_stream },
	{ IMSG_TERM_RECORD, R_AUTHD, S(LK_WORD), MF_ONCE, term_record },
	{ IMSG_TERM_REFUSE, R_AUTHD, S(LK_WORD), MF_ONCE, term_refuse },
	{ IMSG_CLOSE, R_AUTHD, S(LK_WORD) | S(LK_OPEN), 0, term_close },
};

static const struct link_ops	authd = {
	.table = authd_table,
	.rows = sizeof(authd_table) / sizeof(authd_table[0]),
	.came = authd_came,
	.gone = authd_gone,
};

static const struct proc_ops	ops = {
	.role = ROLE_TERMD,
	.table = parent_table,
	.rows = sizeof(parent_table) / sizeof(parent_table[0]),
	.files = FILES_MAX,
	.channel = link_take,
	.stop = term_stop,
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
	enum state	 state;
	struct timer	 late;
	char		 session[UUID_SIZE];
	char		 operator[WHO_SIZE];
	char		 request[REQUEST_SIZE];	/* for the log, "" */
	uint64_t	 stream;
	struct word	 word;
	/* what a new authd has not heard */
	int		 ended;
	unsigned	 end_reason;
	char		 end_text[MESSAGE_SIZE];
} termd = { .word = { .fd = -1 } };

static const struct terminal_ops	to_termd = {
	.ended = termd_ended,
	.exit = termd_exit,
};

int
main(int argc, char **argv)
{
	link_init(&authd);
	terminal_init(&to_termd);
	proc_main(&ops, argc, argv);
}

static void
set_state(enum state state)
{
	static const char *const	names[] = { "empty", "waiting",
	    "open" };

	log_debug("terminal: %s", names[state]);
	termd.state = state;
	if (proc_parent() != NULL)
		chan_set_state(proc_parent(), state);
	proc_title("%s %s", names[state], termd.session);
}

/* The first refusal counts, and waits for the connection where it must. */
static void
say_no(int status, const char *message)
{
	struct word	*w = &termd.word;

	if (w->status == 0) {
		w->status = status;
		strlcpy(w->message, message, sizeof(w->message));
	}
	if (termd.state == ST_WAIT)
		terminal_refuse(w->status, w->message);
}

/* authd's word and the connection are both here: begin. */
static void
term_begin(void)
{
	struct word	*w = &termd.word;

	timer_del(&termd.late);
	if (w->status != 0) {
		terminal_refuse(w->status, w->message);
		return;
	}
	set_state(ST_OPEN);
	link_set_state(LK_OPEN);
	terminal_stream(w->fd, w->idle_s);
	w->fd = -1;
}

static int
give(struct chan *c, struct imsg *m)
{
	struct msg_give	 in;

	(void)c;
	if (get_give(m, &in) == -1 || in.class != CLASS_TERMINAL)
		return (-1);
	if (request_is(in.request, strlen(in.request)))
		strlcpy(termd.request, in.request, sizeof(termd.request));
	log_request(termd.request);
	set_state(ST_WAIT);
	if (terminal_browser(m_take_fd(m), in.accept, termd.request,
	    in.bytes.p, in.bytes.len) == -1)
		return (0);
	timer_init(&termd.late, stream_late, NULL);
	timer_set(&termd.late, STREAM_WAIT_MS);
	if (termd.word.fd != -1 || termd.word.status != 0)
		term_begin();
	return (0);
}

static int
term_stream(struct chan *c, struct imsg *m)
{
	struct msg_term_stream	 in;

	(void)c;
	if (get_term_stream(m, &in) == -1)
		return (-1);
	termd.stream = in.stream;
	strlcpy(termd.session, in.session, sizeof(termd.session));
	strlcpy(termd.operator, in.operator, sizeof(termd.operator));
	termd.word.idle_s = in.idle_s;
	termd.word.fd = m_take_fd(m);
	if (termd.state == ST_WAIT)
		term_begin();
	return (0);
}

/* Before TERM_STREAM: a terminal that is to be recorded is so from the start. */
static int
term_record(struct chan *c, struct imsg *m)
{
	struct msg_term_record	 in;

	(void)c;
	if (get_term_record(m, &in) == -1 || termd.word.fd != -1)
		return (-1);
	record_begin(m_take_fd(m), in.room);
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
	if (termd.state == ST_OPEN)
		terminal_close(in.code, END_SESSION, in.reason);
	else
		say_no(503, in.reason);
	return (0);
}

static void
stream_late(void *arg)
{
	(void)arg;
	say_no(503, "terminal service did not answer in time");
}

/* authd has restarted: what only we know (messages.md, section 4). */
static void
announce(void)
{
	struct chan	*c = link_chan();
	uint64_t	in, out;

	terminal_counters(&in, &out);
	(void)say_announce(c, 0, -1, &(struct msg_announce){
	    .up = 1, .streams = 1 });
	(void)say_announce_stream(c, 0, -1,
	    &(struct msg_announce_stream){
	    .stream = termd.stream, .service = "terminal", .in = in, .out = out,
	    .tag = { "", 0 } });
	(void)say_announce_end(c, 0);
	if (termd.ended)
		say_ended();
}

/* An open terminal outlives authd; one that waits for its word does not. */
static void
authd_gone(enum link_end how)
{
	(void)how;
	if (termd.state != ST_OPEN && termd.word.fd == -1)
		say_no(503, "terminal service is restarting");
}

static void
authd_came(int again)
{
	(void)again;
	if (termd.state == ST_OPEN)
		announce();
}

static void
say_ended(void)
{
	if (link_chan() == NULL)
		return;
	(void)say_term_end(link_chan(), 0, -1, &(struct msg_term_end){
	    .why = (uint8_t)termd.end_reason, .text = termd.end_text });
}

static void
termd_ended(unsigned reason, const char *text)
{
	log_request(termd.request);
	if (termd.operator[0] != '\0')
		log_info("session %s: terminal of %s closed: %s",
		    termd.session, termd.operator, text);
	else
		log_info("terminal refused: %s", text);
	termd.ended = 1;
	termd.end_reason = reason;
	strlcpy(termd.end_text, text, sizeof(termd.end_text));
	say_ended();
}

static void
termd_exit(void)
{
	link_flush();
	proc_exit(0);
}

static void
term_stop(void)
{
	if (termd.state == ST_EMPTY)
		termd_exit();
	if (termd.state == ST_WAIT)
		say_no(503, "server is stopping");
	else
		terminal_close(1001, END_SESSION, "server is stopping");
}
