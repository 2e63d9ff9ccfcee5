/* SPDX-License-Identifier: ISC */
/*
 * What children say. A child writes one packet a line; who it is we know
 * ourselves. A child that floods is cut short, and the lines lost are counted;
 * one that stops reading or writing costs us nothing.
 */
#include <event2/event.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compat.h"
#include "base/log.h"
#include "logline.h"
#include "metrics/count.h"
#include "relayd.h"

#define LINES_BURST	400	/* lines at once */
#define LINES_PER_S	100	/* and in the long run */
#define VERBOSE_FACTOR	50	/* debugging may say more */
#define READ_BURST	64	/* lines taken before others get a turn */
#define REPORT_MS	5000	/* how long a dropped line may go unreported */

struct childlog {
	struct child	*child;
	int		 fd;
	struct event	*ev;
	uint64_t	 filled_ms;	/* when `lines` was filled up last */
	double		 lines;		/* that may be printed now */
	unsigned long	 dropped;
	struct timer	 report;
};

static void	childlog_read(evutil_socket_t, short, void *);
static int	childlog_line(struct childlog *);
static int	childlog_allowed(struct childlog *);
static void	childlog_print(struct childlog *, struct logline *);
static void	childlog_report(void *);

struct childlog *
childlog_new(struct child *c, int fd)
{
	struct childlog	*l;

	if ((l = calloc(1, sizeof(*l))) == NULL) {
		close(fd);
		return (NULL);
	}
	l->child = c;
	l->fd = fd;
	l->lines = LINES_BURST;
	l->filled_ms = clock_ms();
	timer_init(&l->report, childlog_report, l);
	l->ev = event_new(env()->base, fd, EV_READ | EV_PERSIST, childlog_read,
	    l);
	if (l->ev == NULL || event_add(l->ev, NULL) == -1) {
		childlog_free(l);
		return (NULL);
	}
	return (l);
}

void
childlog_free(struct childlog *l)
{
	int	i;

	if (l == NULL)
		return;
	for (i = 0; i < LINES_BURST && childlog_line(l) == 0; i++)
		continue;
	if (l->dropped > 0)
		childlog_report(l);
	timer_del(&l->report);
	if (l->ev != NULL)
		event_free(l->ev);
	close(l->fd);
	free(l);
}

int
childlog_fd(const struct childlog *l)
{
	return (l != NULL ? l->fd : -1);
}

static void
childlog_read(evutil_socket_t fd, short what, void *arg)
{
	struct childlog	*l = arg;
	int		 i;

	(void)fd;
	(void)what;
	for (i = 0; i < READ_BURST; i++)
		if (childlog_line(l) == -1)
			return;
}

/* One packet; -1 when there is none. */
static int
childlog_line(struct childlog *l)
{
	struct logline	 line;
	char		 pkt[1 + REQUEST_SIZE + LOG_LINE_MAX];
	ssize_t		 n;

	n = read(l->fd, pkt, sizeof(pkt));
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return (-1);
	if (n <= 0) {
		/* Its end is told by SIGCHLD, not here. */
		event_del(l->ev);
		return (-1);
	}
	if (!childlog_allowed(l)) {
		l->dropped++;
		count(CT_LOG_DROPPED_CONTROL +
		    (unsigned)(l->child->role - ROLE_CONTROL));
		if (!timer_is_set(&l->report))
			timer_set(&l->report, REPORT_MS);
		return (0);
	}
	logline_take(&line, pkt, (size_t)n);
	childlog_print(l, &line);
	return (0);
}

static int
childlog_allowed(struct childlog *l)
{
	uint64_t	now = clock_ms();
	double		factor = env()->verbose ? VERBOSE_FACTOR : 1;

	l->lines += (double)(now - l->filled_ms) / 1000 * LINES_PER_S * factor;
	l->filled_ms = now;
	if (l->lines > LINES_BURST * factor)
		l->lines = LINES_BURST * factor;
	if (l->lines < 1)
		return (0);
	l->lines -= 1;
	return (1);
}

static void
line_print(const struct logline *line)
{
	char	out[LOG_WHOLE_MAX], stamp[LOG_STAMP_SIZE];

	if (env()->conf.log_json) {
		log_stamp(stamp);
		logline_json(line, stamp, out);
		log_whole(line->level, out);
	} else {
		logline_print(line, out);
		log_line(line->level, out);
	}
}

/* Who says it is not the child's to tell. */
static void
childlog_print(struct childlog *l, struct logline *line)
{
	const struct child	*c = l->child;

	if (line->level == LOG_LEVEL_DEBUG && !env()->verbose)
		return;
	line->role = role_name(c->role);
	line->pid = c->pid;
	line->instance = c->instance;
	/* A relay session's is not for the log: its own lines have a prefix. */
	line->session = role_info(c->role)->flags & RF_RELAY ? "" :
	    c->session;
	line->many = (role_info(c->role)->flags & RF_BOUND) == 0;
	line_print(line);
}

void
childlog_own(enum log_level level, const char *text)
{
	struct logline	line = { .level = level, .pid = getpid(),
	    .role = env()->conf.log_json ? role_name(ROLE_PARENT) : "relayd",
	    .session = "" };

	if (request_is(log_request_now(), strlen(log_request_now())))
		strlcpy(line.request, log_request_now(), sizeof(line.request));
	logline_text(&line, text, strlen(text));
	line_print(&line);
}

static void
childlog_report(void *arg)
{
	struct childlog	*l = arg;
	struct logline	 line = { .level = LOG_LEVEL_WARN };

	snprintf(line.text, sizeof(line.text), "%lu lines dropped: too many",
	    l->dropped);
	l->dropped = 0;
	childlog_print(l, &line);
}
