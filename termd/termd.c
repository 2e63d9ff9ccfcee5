/* SPDX-License-Identifier: ISC */
/*
 * termd: one operator terminal.
 *
 * May touch: the browser's socket, one stream end. No file, no key, no other
 * socket; it cannot open any.
 * Hears from: the parent (GIVE once: the browser's connection; STOP) and authd
 * (TERM_STREAM or TERM_REFUSE once, then CLOSE).
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
#include "proc/proc.h"
#include "terminal.h"

#define STREAM_WAIT_MS	10000	/* for authd's word after the connection */
#define FILES_MAX	16

enum state { ST_EMPTY, ST_WAIT, ST_OPEN };

static int	give(struct chan *, struct imsg *);
static int	term_stream(struct chan *, struct imsg *);
static int	term_refuse(struct chan *, struct imsg *);
static int	term_close(struct chan *, struct imsg *);
static int	authd_channel(int);
static void	authd_closed(struct chan *, int, const char *);
static void	stream_late(void *);
static void	term_stop(void);
static void	say_no(int, const char *);
static void	say_ended(void);

static const struct dispatch	parent_table[] = {
	PROC_ROWS
	{ IMSG_GIVE, R_PARENT, S(ST_EMPTY), MF_ONCE, give },
};

static const struct dispatch	authd_table[] = {
	{ IMSG_TERM_STREAM, R_AUTHD, S_ANY, MF_ONCE, term_stream },
	{ IMSG_TERM_REFUSE, R_AUTHD, S_ANY, MF_ONCE, term_refuse },
	{ IMSG_CLOSE, R_AUTHD, S_ANY, 0, term_close },
};

static const struct proc_ops	ops = {
	.role = ROLE_TERMD,
	.table = parent_table,
	.rows = sizeof(parent_table) / sizeof(parent_table[0]),
	.files = FILES_MAX,
	.channel = authd_channel,
	.stop = term_stop,
};

static struct {
	struct chan	*authd;		/* NULL while authd is away */
	enum state	 state;
	struct timer	 late;
	char		 session[UUID_SIZE];
	uint64_t	 stream;
	/* authd may be quicker than the parent */
	int		 early_fd;
	uint32_t	 early_idle_s;
	int		 early_status;
	char		 early_message[MESSAGE_SIZE];
	/* what a new authd has not heard */
	int		 ended;
	unsigned	 end_reason;
	char		 end_text[MESSAGE_SIZE];
} termd = { .early_fd = -1 };

int
main(int argc, char **argv)
{
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
	if (termd.early_status == 0) {
		termd.early_status = status;
		strlcpy(
		    termd.early_message, message, sizeof(termd.early_message));
	}
	if (termd.state == ST_WAIT)
		terminal_refuse(termd.early_status, termd.early_message);
}

/* authd's word and the connection are both here: begin. */
static void
term_begin(void)
{
	timer_del(&termd.late);
	if (termd.early_status != 0) {
		terminal_refuse(termd.early_status, termd.early_message);
		return;
	}
	set_state(ST_OPEN);
	terminal_stream(termd.early_fd, termd.early_idle_s);
	termd.early_fd = -1;
}

static int
give(struct chan *c, struct imsg *m)
{
	char		 addr[ADDR_SIZE], accept[ACCEPT_SIZE];
	const uint8_t	*bytes;
	uint64_t	 nonce, instance;
	size_t		 len;
	uint8_t		 class;

	(void)c;
	if (m_get_u8(m, &class) == -1 || m_get_u64(m, &nonce) == -1 ||
	    m_get_u64(m, &instance) == -1 ||
	    m_get_str(m, addr, sizeof(addr)) == -1 ||
	    m_get_str(m, accept, sizeof(accept)) == -1 ||
	    m_get_blob(m, &bytes, &len, GIVE_BYTES_MAX) == -1 ||
	    m_end(m) == -1 || class != CLASS_TERMINAL)
		return (-1);
	set_state(ST_WAIT);
	if (terminal_browser(m_take_fd(m), accept, bytes, len) == -1)
		return (0);
	timer_init(&termd.late, stream_late, NULL);
	timer_set(&termd.late, STREAM_WAIT_MS);
	if (termd.early_fd != -1 || termd.early_status != 0)
		term_begin();
	return (0);
}

static int
term_stream(struct chan *c, struct imsg *m)
{
	(void)c;
	if (m_get_u64(m, &termd.stream) == -1 ||
	    m_get_str(m, termd.session, sizeof(termd.session)) == -1 ||
	    m_get_u32(m, &termd.early_idle_s) == -1 || m_end(m) == -1 ||
	    termd.state == ST_OPEN || termd.early_fd != -1)
		return (-1);
	termd.early_fd = m_take_fd(m);
	if (termd.state == ST_WAIT)
		term_begin();
	return (0);
}

static int
term_refuse(struct chan *c, struct imsg *m)
{
	char		message[MESSAGE_SIZE];
	uint16_t	status;

	(void)c;
	if (m_get_u16(m, &status) == -1 ||
	    m_get_str(m, message, sizeof(message)) == -1 || m_end(m) == -1 ||
	    status < 400 || status > 599 || termd.state == ST_OPEN)
		return (-1);
	say_no(status, message);
	return (0);
}

static int
term_close(struct chan *c, struct imsg *m)
{
	char		reason[MESSAGE_SIZE];
	uint16_t	code;

	(void)c;
	if (m_get_u16(m, &code) == -1 ||
	    m_get_str(m, reason, sizeof(reason)) == -1 || m_end(m) == -1 ||
	    code < 1000 || code > 4999)
		return (-1);
	if (termd.state == ST_OPEN)
		terminal_close(code, END_SESSION, reason);
	else
		say_no(503, reason);
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
	uint64_t	in, out;

	terminal_counters(&in, &out);
	chan_begin(termd.authd, IMSG_ANNOUNCE, 0, -1);
	chan_add_u8(termd.authd, 1);
	chan_add_u32(termd.authd, 1);
	chan_end(termd.authd);
	chan_begin(termd.authd, IMSG_ANNOUNCE_STREAM, 0, -1);
	chan_add_u64(termd.authd, termd.stream);
	chan_add_str(termd.authd, "terminal");
	chan_add_u64(termd.authd, in);
	chan_add_u64(termd.authd, out);
	chan_add_blob(termd.authd, "", 0);
	chan_end(termd.authd);
	chan_begin(termd.authd, IMSG_ANNOUNCE_END, 0, -1);
	chan_end(termd.authd);
	if (termd.ended)
		say_ended();
}

/* An open terminal outlives authd; one that waits for its word does not. */
static void
authd_lost(void)
{
	if (termd.state != ST_OPEN && termd.early_fd == -1)
		say_no(503, "terminal service is restarting");
}

/* A channel to authd, the first or, after a restart of authd, a fresh one. */
static int
authd_channel(int fd)
{
	if (termd.authd != NULL) {
		chan_free(termd.authd);
		authd_lost();
	}
	termd.authd = chan_new(proc_base(), fd, ROLE_AUTHD, authd_table,
	    sizeof(authd_table) / sizeof(authd_table[0]), authd_closed, NULL);
	if (termd.authd == NULL)
		return (-1);
	if (termd.state == ST_OPEN)
		announce();
	return (0);
}

static void
authd_closed(struct chan *c, int offence, const char *reason)
{
	if (offence)
		log_warnx("authd: %s", reason);
	chan_free(c);
	termd.authd = NULL;
	authd_lost();
}

static void
say_ended(void)
{
	if (termd.authd == NULL)
		return;
	chan_begin(termd.authd, IMSG_TERM_END, 0, -1);
	chan_add_u8(termd.authd, (uint8_t)termd.end_reason);
	chan_add_str(termd.authd, termd.end_text);
	chan_end(termd.authd);
}

void
termd_ended(unsigned reason, const char *text)
{
	log_info("session %s: terminal closed: %s", termd.session, text);
	termd.ended = 1;
	termd.end_reason = reason;
	strlcpy(termd.end_text, text, sizeof(termd.end_text));
	say_ended();
}

void
termd_exit(void)
{
	if (termd.authd != NULL)
		chan_flush(termd.authd);
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
