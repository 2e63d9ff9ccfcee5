/* SPDX-License-Identifier: ISC */
/*
 * relayctl top: asks again and again, and shows what there is on a screen. It
 * starts in top(), a look in look(), which ends in show(); leave() gives the
 * terminal back, whatever the end.
 */
#include <event2/event.h>

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compat.h"
#include "imsg/imsg.h"
#include "output.h"
#include "reach.h"
#include "screen.h"
#include "top.h"
#include "topdraw.h"

#define ANSWER_MS	30000

static int	on_row(struct chan *, struct imsg *);
static int	on_done(struct chan *, struct imsg *);

static const struct dispatch	table[] = {
	{ IMSG_CTL_ROW, R_CONTROL, S_ANY, MF_REQUEST, on_row },
	{ IMSG_CTL_DONE, R_CONTROL, S_ANY, 0, on_done },
};

/* A look is these, one after the other. */
static const unsigned	asked[] = { CTL_SHOW_METRICS, CTL_SHOW_TUNNELS,
    CTL_SHOW_STREAMS };
#define ASKED	(sizeof(asked) / sizeof(asked[0]))

static struct {
	struct top	 top;
	struct top_view	 view;
	struct chan	*chan;
	struct rows	*rows;		/* of the answer that comes */
	size_t		 at;		/* of asked[]; ASKED: not asking */
	struct timer	 next, deadline;
	unsigned	 times, shown;
	int		 looks, on_screen;
} tp = { .at = ASKED };

static void	leave(int) __attribute__((noreturn));
static void	finish(int, const char *, ...)
		    __attribute__((noreturn, format(printf, 2, 3)));
static void	look(void *);

/* Give the terminal back. */
static void
leave(int status)
{
	screen_close();
	if (fflush(stdout) == EOF && status == EXIT_DONE)
		status = EXIT_REFUSED;
	_exit(status);
}

static void
finish(int status, const char *fmt, ...)
{
	va_list	ap;

	screen_close();
	va_start(ap, fmt);
	fprintf(stderr, "relayctl: ");
	vfprintf(stderr, fmt, ap);
	fprintf(stderr, "\n");
	va_end(ap);
	leave(status);
}

static void
out_of_memory(void)
{
	finish(EXIT_REFUSED, "out of memory");
}

static void
ask(void)
{
	struct msg_ctl	m = { .version = CTL_VERSION,
	    .op = (uint16_t)asked[tp.at] };

	if ((tp.rows = rows_new()) == NULL)
		out_of_memory();
	timer_set(&tp.deadline, ANSWER_MS);
	(void)say_ctl(tp.chan, (uint32_t)tp.at + 1, -1, &m);
}

static void
look(void *arg)
{
	(void)arg;
	timer_set(&tp.next, tp.view.seconds * 1000);
	if (tp.at < ASKED || tp.view.stopped)
		return;
	tp.view.note[0] = '\0';
	tp.at = 0;
	ask();
}

static void
line_screen(enum top_style style, const char *s)
{
	screen_line(style == TOP_HEAD, s);
}

static void
line_plain(enum top_style style, const char *s)
{
	printf("%s%s\n", style == TOP_HEAD ? "\n" : "", s);
}

static void
draw(void)
{
	int	r;

	if (tp.on_screen) {
		screen_size(&tp.view.lines, &tp.view.columns);
		screen_begin();
	}
	r = top_draw(&tp.top, &tp.view, clock_wall(), tp.on_screen ?
	    line_screen : line_plain);
	if (r == -1)
		out_of_memory();
	if (tp.on_screen)
		screen_end();
}

/* What was asked for is there. On paper there is nothing before two looks. */
static void
show(void)
{
	timer_del(&tp.deadline);
	if (tp.looks++ == 0 && !tp.on_screen)
		return;
	if (tp.shown > 0 && !tp.on_screen)
		printf("\n");
	draw();
	tp.shown++;
	if (fflush(stdout) == EOF)
		finish(EXIT_REFUSED, "standard output cannot be written");
	if (tp.times != 0 && tp.shown == tp.times)
		leave(EXIT_DONE);
}

static int
on_row(struct chan *c, struct imsg *m)
{
	struct msg_ctl_row	row;
	uint32_t		i;

	(void)c;
	if (tp.at == ASKED || m->id != tp.at + 1 ||
	    get_ctl_row(m, &row) == -1 || rows_add(tp.rows, row.cells.n) == -1)
		return (-1);
	for (i = 0; i < row.cells.n; i++)
		if (rows_cell(tp.rows, row.cells.v[i]) == -1)
			return (-1);
	return (0);
}

static int
on_done(struct chan *c, struct imsg *m)
{
	struct msg_ctl_done	in;

	(void)c;
	if (tp.at == ASKED || m->id != tp.at + 1 || get_ctl_done(m, &in) == -1)
		return (-1);
	if (in.code != 0) {
		printable_text(tp.view.note, sizeof(tp.view.note), in.text);
		rows_free(tp.rows);
	} else if (asked[tp.at] == CTL_SHOW_TUNNELS) {
		top_tunnels(&tp.top, tp.rows);
	} else if (asked[tp.at] == CTL_SHOW_STREAMS) {
		top_streams(&tp.top, tp.rows);
	} else {
		top_metrics(&tp.top, tp.rows, clock_ms());
		rows_free(tp.rows);
	}
	tp.rows = NULL;
	if (++tp.at < ASKED)
		ask();
	else
		show();
	return (0);
}

static void
on_closed(struct chan *c, int offence, const char *reason)
{
	(void)c;
	finish(EXIT_UNREACHED, "no answer: %s", offence ?
	    "relayd and relayctl do not understand each other" : reason);
}

static void
on_late(void *arg)
{
	(void)arg;
	finish(EXIT_UNREACHED, "no answer within %d s", ANSWER_MS / 1000);
}

static void
sort(unsigned by)
{
	tp.view.sort = (tp.view.sort + by) % TOP_SORTS;
}

static void
on_key(evutil_socket_t fd, short what, void *arg)
{
	struct event	**ev = arg;
	int		  key, n = 0;

	(void)fd;
	(void)what;
	for (; (key = screen_key()) != SCREEN_NONE; n++) {
		if (key == 'q' || key == 'Q')
			leave(EXIT_DONE);
		if (key == 's' || key == SCREEN_RIGHT)
			sort(1);
		else if (key == SCREEN_LEFT)
			sort(TOP_SORTS - 1);
		else if (key == ' ')
			tp.view.stopped = !tp.view.stopped;
	}
	if (n == 0 && !isatty(STDIN_FILENO))
		event_del(*ev);
	if (tp.looks > 0)
		draw();
}

static void
on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	(void)arg;
	if (sig == SIGWINCH || sig == SIGCONT) {
		if (tp.on_screen && tp.looks > 0) {
			screen_resize();
			draw();
		}
		return;
	}
	leave(sig == SIGINT ? EXIT_DONE : 128 + (int)sig);
}

static void
listen_to(struct event_base *base, int fd, short what, event_callback_fn fn)
{
	static struct event	*evs[8];
	static size_t		 n;

	evs[n] = event_new(base, fd, (short)(what | EV_PERSIST), fn, &evs[n]);
	if (evs[n] == NULL || event_add(evs[n], NULL) == -1)
		out_of_memory();
	n++;
}

/* Is this a screen that can be drawn anew? */
static int
is_screen(void)
{
	const char	*term = getenv("TERM");

	return (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
	    term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0);
}

void
top(const char *path, unsigned seconds, unsigned times)
{
	static const int	 sigs[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT,
	    SIGWINCH, SIGCONT };
	struct event_base	*base;
	size_t			 i;

	signal(SIGPIPE, SIG_IGN);
	tp.view.seconds = seconds;
	tp.times = times;
	if ((base = event_base_new()) == NULL)
		out_of_memory();
	clock_init(base);
	tp.chan = chan_new(base, reach(path, 0), ROLE_CONTROL, table,
	    sizeof(table) / sizeof(table[0]), on_closed, NULL);
	if (tp.chan == NULL)
		out_of_memory();
	timer_init(&tp.next, look, NULL);
	timer_init(&tp.deadline, on_late, NULL);
	if (times == 0 && is_screen())
		tp.on_screen = screen_open() == 0;
	if (times == 0 && !tp.on_screen)
		tp.times = 1;
	for (i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		listen_to(base, sigs[i], EV_SIGNAL, on_signal);
	if (tp.on_screen)
		listen_to(base, STDIN_FILENO, EV_READ, on_key);
	look(NULL);
	event_base_dispatch(base);
	leave(EXIT_UNREACHED);
}
