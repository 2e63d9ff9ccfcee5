/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "status.h"
#include "ttyline.h"

#define REFRESH_MS	1000
#define LINE_SIZE	512

static const char	erase[] = "\r\033[K";

static struct {
	int		on, changed;
	struct timer	again;
	char		shown[LINE_SIZE];
} tty;

static void
put(const char *s)
{
	if (write(STDERR_FILENO, s, strlen(s)) == -1)
		tty.on = 0;	/* nobody watches any more */
}

static void
draw(void)
{
	put(erase);
	put(tty.shown);
}

/* A line of the log pushes ours down. */
static void
log_above(enum log_level level, const char *line)
{
	put(erase);
	log_printer(NULL);
	log_line(level, line);
	log_printer(log_above);
	put(tty.shown);
}

static void
changed(void)
{
	tty.changed = 1;
}

static void
refresh(void *arg)
{
	(void)arg;
	tty.changed = 1;
	timer_set(&tty.again, REFRESH_MS);
}

void
ttyline_start(void)
{
	if (!isatty(STDERR_FILENO))
		return;
	tty.on = 1;
	timer_init(&tty.again, refresh, NULL);
	log_printer(log_above);
	status_watch(changed);
	refresh(NULL);
}

/* One line, however narrow the window is. */
void
ttyline_turn(void)
{
	struct winsize	ws;
	char		line[LINE_SIZE];
	size_t		cols = 80;

	if (!tty.on || !tty.changed)
		return;
	tty.changed = 0;
	status_line(line, sizeof(line));
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 1)
		cols = ws.ws_col;
	if (strlen(line) >= cols && cols <= sizeof(line))
		line[cols - 1] = '\0';
	if (strcmp(line, tty.shown) == 0)
		return;
	memcpy(tty.shown, line, sizeof(line));
	draw();
}

void
ttyline_stop(void)
{
	if (!tty.on)
		return;
	tty.on = 0;
	timer_del(&tty.again);
	status_watch(NULL);
	log_printer(NULL);
	put(erase);
}
