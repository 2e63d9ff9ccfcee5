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
#include <unistd.h>

#include "base/log.h"
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
static void	childlog_print(struct childlog *, enum log_level, const char *);
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

/* Backslashes stay: what came from a peer was escaped by the child. */
char *
childlog_text(char *dst, size_t size, const char *src, size_t len)
{
	static const char	hex[] = "0123456789abcdef";
	size_t			i, n = 0;
	unsigned char		c;

	for (i = 0; i < len && n + 5 < size; i++) {
		c = (unsigned char)src[i];
		if (c >= 0x20 && c < 0x7f) {
			dst[n++] = (char)c;
			continue;
		}
		dst[n++] = '\\';
		dst[n++] = 'x';
		dst[n++] = hex[c >> 4];
		dst[n++] = hex[c & 15];
	}
	dst[n] = '\0';
	return (dst);
}

/* One packet; -1 when there is none. */
static int
childlog_line(struct childlog *l)
{
	char		 pkt[LOG_LINE_MAX + 1], text[LOG_LINE_MAX];
	enum log_level	 level = LOG_LEVEL_WARN;
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
		if (!timer_is_set(&l->report))
			timer_set(&l->report, REPORT_MS);
		return (0);
	}
	if (pkt[0] >= LOG_LEVEL_ERROR && pkt[0] <= LOG_LEVEL_DEBUG)
		level = (enum log_level)pkt[0];
	childlog_print(l, level,
	    childlog_text(text, sizeof(text), pkt + 1, (size_t)n - 1));
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
childlog_print(struct childlog *l, enum log_level level, const char *text)
{
	const struct child	*c = l->child;
	char			 line[LOG_LINE_MAX + 128];

	if (level == LOG_LEVEL_DEBUG && !env()->verbose)
		return;
	if (c->session[0] != '\0')
		snprintf(line, sizeof(line), "%s session %s: %s",
		    child_name(c), c->session, text);
	else
		snprintf(line, sizeof(line), "%s: %s", child_name(c), text);
	log_line(level, line);
}

static void
childlog_report(void *arg)
{
	struct childlog	*l = arg;
	char		 text[64];

	snprintf(text, sizeof(text), "%lu lines dropped: too many", l->dropped);
	l->dropped = 0;
	childlog_print(l, LOG_LEVEL_WARN, text);
}
