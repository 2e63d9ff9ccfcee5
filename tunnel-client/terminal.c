/* SPDX-License-Identifier: ISC */
/*
 * CONNECT terminal: a login shell on a terminal of its own, then frames both
 * ways. OK is said when the shell runs, not before (T23).
 * tunnel-protocol.md, 5.3 and 7.7.
 */
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge.h"
#include "child.h"
#include "base/clock.h"
#include "base/log.h"
#include "net/net.h"
#include "shell.h"
#include "stream.h"
#include "termframe.h"
#include "terminal.h"

#define START_MS	10000	/* for the shell to be executed */
#define EARLY_MAX	65536	/* frames that come before it runs */
#define REAP_MS		500	/* from its terminal's end to its own */

struct terminal {
	struct stream	*st;		/* until the bridge has it */
	struct bridge	*bridge;
	struct child	*child;
	int		 master;	/* the bridge's, once there is one */
	int		 ready;		/* pipe: EOF when exec has worked */
	struct event	 ev_ready;
	struct timer	 timer;
	uint8_t		*early;
	size_t		 early_len;
	int		 fin;
	int		 status;	/* once it has ended; -1: not yet */
	struct timer	 reap;		/* set: nothing but that is awaited */
	uint32_t	 id;		/* the stream's, for the log */
	struct termframe frame;
};

static void	starting_data(struct stream *, const uint8_t *, size_t);
static void	starting_fin(struct stream *);
static void	starting_gone(struct stream *, int);
static void	starting_withdraw(struct stream *, const char *);
static int	terminal_spawn(struct terminal *);
static void	terminal_ready(evutil_socket_t, short, void *);
static void	terminal_timeout(void *);
static void	terminal_failed(struct terminal *, const char *);
static void	terminal_up(struct terminal *);
static void	terminal_filter(void *, struct bridge *, const uint8_t *,
		    size_t);
static int	terminal_ending(void *, struct bridge *);
static size_t	terminal_farewell(uint8_t *, const char *);
static void	terminal_not_ended(void *);
static void	terminal_ended(void *, int);
static void	terminal_gone(void *);
static void	terminal_free(struct terminal *);

static int	tell_status;		/* the server wants to know */

static const struct stream_ops starting_ops = { .name = "terminal",
    .data = starting_data, .fin = starting_fin, .gone = starting_gone,
    .withdraw = starting_withdraw };

void
terminal_negotiated(int status)
{
	tell_status = status;
}

void
terminal_start(struct stream *st, const uint8_t *p, size_t len)
{
	struct terminal	*t;

	if ((t = calloc(1, sizeof(*t))) == NULL) {
		stream_reset(st);
		return;
	}
	t->st = st;
	t->id = yamux_id(st->ys);
	t->master = t->ready = t->status = -1;
	timer_init(&t->timer, terminal_timeout, t);
	timer_init(&t->reap, terminal_not_ended, t);
	stream_become(st, &starting_ops, t);
	if (terminal_spawn(t) == -1) {
		terminal_failed(t, strerror(errno));
		return;
	}
	log_info("stream %u: terminal opened", t->id);
	if (len > 0)
		starting_data(st, p, len);
}

/* What is typed before the shell runs. */
static void
starting_data(struct stream *st, const uint8_t *p, size_t len)
{
	struct terminal	*t = st->arg;

	if (t->early == NULL)
		t->early = malloc(EARLY_MAX);
	if (t->early == NULL || len > EARLY_MAX - t->early_len) {
		terminal_free(t);
		stream_reset(st);
		return;
	}
	memcpy(t->early + t->early_len, p, len);
	t->early_len += len;
}

static void
starting_fin(struct stream *st)
{
	struct terminal	*t = st->arg;

	t->fin = 1;
}

static void
starting_gone(struct stream *st, int clean)
{
	(void)clean;
	terminal_free(st->arg);
}

static void
starting_withdraw(struct stream *st, const char *why)
{
	terminal_failed(st->arg, why);
}

/* In the new process: nothing of ours but the three descriptors. */
__attribute__((noreturn)) static void
shell_exec(const struct shell *sh, int ready)
{
	char	*argv[3] = { (char *)(uintptr_t)sh->path,
		    (char *)(uintptr_t)"-l", NULL };
	int	 err;

	if (ready != 3) {
		(void)dup2(ready, 3);
		(void)fcntl(3, F_SETFD, FD_CLOEXEC);
	}
	child_reset(4);
	if (chdir(sh->home) == -1)
		(void)!chdir("/");
	(void)execve(sh->path, argv, sh->env);
	err = errno;
	(void)!write(3, &err, sizeof(err));
	_exit(127);
}

static int
terminal_spawn(struct terminal *t)
{
	struct winsize	ws = { .ws_row = 24, .ws_col = 80 };
	struct shell	sh;
	int		ready[2];
	pid_t		pid;

	if (shell_get(&sh) == -1 || pipe2(ready, O_CLOEXEC | O_NONBLOCK) == -1)
		return (-1);
	if ((pid = forkpty(&t->master, NULL, NULL, &ws)) == 0)
		shell_exec(&sh, ready[1]);
	close(ready[1]);
	t->ready = ready[0];
	if (pid == -1) {
		t->master = -1;
		return (-1);
	}
	(void)fcntl(t->master, F_SETFD, FD_CLOEXEC);
	(void)fcntl(t->master, F_SETFL, O_NONBLOCK);
	if ((t->child = child_watch(pid, terminal_ended, t)) == NULL)
		return (-1);
	event_assign(&t->ev_ready, net_base(), t->ready, EV_READ,
	    terminal_ready, t);
	event_add(&t->ev_ready, NULL);
	timer_set(&t->timer, START_MS);
	return (0);
}

static void
terminal_ready(evutil_socket_t fd, short what, void *arg)
{
	struct terminal	*t = arg;
	int		 err = 0;
	ssize_t		 n;

	(void)what;
	n = read(fd, &err, sizeof(err));
	if (n == 0)
		terminal_up(t);
	else
		terminal_failed(t, n == sizeof(err) ? strerror(err) :
		    "the shell did not start");
}

static void
terminal_timeout(void *arg)
{
	terminal_failed(arg, "the shell did not start in time");
}

static void
terminal_failed(struct terminal *t, const char *why)
{
	struct stream	*st = t->st;
	char		 line[256];
	int		 n;

	log_warnx("stream %u: terminal: %s", yamux_id(st->ys), why);
	n = snprintf(line, sizeof(line), "ERROR terminal: %s\n", why);
	terminal_free(t);
	if (stream_send(st, line, (size_t)n) == -1)
		stream_reset(st);
	else
		stream_done(st);
}

static void
close_ready(struct terminal *t)
{
	timer_del(&t->timer);
	if (t->ready == -1)
		return;
	if (event_initialized(&t->ev_ready))
		event_del(&t->ev_ready);
	close(t->ready);
	t->ready = -1;
}

static void
terminal_up(struct terminal *t)
{
	struct bridge_how	 how = { .filter = terminal_filter,
				    .head = TERM_HEADER,
				    .max = TERM_SEND_MAX - 1 - TERM_HEADER,
				    .header = termframe_header, .together = 1,
				    .ending = terminal_ending,
				    .farewell = terminal_farewell,
				    .gone = terminal_gone, .arg = t };
	struct sock		 c = { .fd = t->master };
	struct stream		*st = t->st;
	uint8_t			*early = t->early;
	size_t			 early_len = t->early_len;
	int			 fin = t->fin;

	close_ready(t);
	if (stream_send(st, "OK\n", 3) == -1 ||
	    bridge_start(st, &c, &how) == -1) {
		terminal_free(t);
		stream_reset(st);
		return;
	}
	t->master = -1;
	t->st = NULL;
	t->bridge = st->arg;
	t->early = NULL;
	if (t->child == NULL)		/* it has run and ended already */
		bridge_finish(t->bridge);
	if (early_len > 0)
		st->ops->data(st, early, early_len);
	if (fin)
		st->ops->fin(st);
	streams_flush();	/* pieces of `early` are written now */
	free(early);
}

static void
resize(const struct terminal *t, int fd)
{
	struct winsize	ws = { .ws_col = (unsigned short)t->frame.cols,
			    .ws_row = (unsigned short)t->frame.rows };

	if (ioctl(fd, TIOCSWINSZ, &ws) == -1)
		log_warn("terminal: resize");
}

static void
terminal_filter(void *arg, struct bridge *b, const uint8_t *p, size_t len)
{
	struct terminal		*t = arg;
	const uint8_t		*data;
	size_t			 used, data_len;
	enum termframe_event	 e;

	for (; len > 0; p += used, len -= used) {
		data_len = 0;
		e = termframe_next(&t->frame, p, len, &used, &data, &data_len);
		if (e == TERMFRAME_BAD) {
			log_info("terminal: a frame is over the limit");
			bridge_refuse(b);
			return;
		}
		if (e == TERMFRAME_RESIZED)
			resize(t, bridge_fd(b));
		bridge_consumed(b, used - data_len);
		if (e == TERMFRAME_DATA)
			bridge_deliver(b, data, data_len);
	}
}

/* Its last word is how the shell ended, which may be known a moment later. */
static int
terminal_ending(void *arg, struct bridge *b)
{
	struct terminal	*t = arg;
	uint8_t		 frame[TERM_STATUS_MAX];

	if (!tell_status)
		return (1);
	if (t->status == -1 && t->child != NULL) {
		timer_set(&t->reap, REAP_MS);
		return (0);
	}
	if (t->status != -1)
		bridge_say(b, frame, termframe_status(frame, t->status));
	return (1);
}

/* On the operator's screen. */
static size_t
terminal_farewell(uint8_t *out, const char *why)
{
	char	text[BRIDGE_FAREWELL - TERM_HEADER];
	int	n;

	n = snprintf(text, sizeof(text), "\r\n[%s]\r\n", why);
	if (n < 0 || n >= (int)sizeof(text))
		return (0);
	termframe_header(out, (size_t)n);
	memcpy(out + TERM_HEADER, text, (size_t)n);
	return (TERM_HEADER + (size_t)n);
}

/* It has let go of its terminal and goes on. */
static void
terminal_not_ended(void *arg)
{
	struct terminal	*t = arg;

	bridge_ended(t->bridge);
}

/* The shell has ended: what it has printed is still sent, then FIN. */
static void
terminal_ended(void *arg, int status)
{
	struct terminal	*t = arg;

	log_info("stream %u: terminal ended: %s %d", t->id, WIFEXITED(status) ?
	    "exit" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) :
	    WTERMSIG(status));
	t->child = NULL;
	t->status = status;
	if (t->bridge == NULL)
		return;
	if (!timer_is_set(&t->reap))
		bridge_finish(t->bridge);
	else if (terminal_ending(t, t->bridge))
		bridge_ended(t->bridge);
}

static void
terminal_gone(void *arg)
{
	struct terminal	*t = arg;

	t->bridge = NULL;
	terminal_free(t);
}

static void
terminal_free(struct terminal *t)
{
	close_ready(t);
	timer_del(&t->reap);
	if (t->master != -1)
		close(t->master);
	if (t->child != NULL) {
		log_info("stream %u: terminal ended", t->id);
		child_hangup(t->child);
	}
	free(t->early);
	free(t);
}
