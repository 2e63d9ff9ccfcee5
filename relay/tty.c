/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>

#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "tty.h"

static struct termios	before;
static int		is_raw, at_exit;

int
tty_is(void)
{
	return (isatty(STDIN_FILENO));
}

void
tty_raw(void)
{
	struct termios	raw;

	if (!is_raw && tcgetattr(STDIN_FILENO, &before) == -1)
		return;
	if (!at_exit) {
		at_exit = 1;
		(void)atexit(tty_back);
	}
	raw = before;
	cfmakeraw(&raw);
	is_raw = tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0;
}

void
tty_back(void)
{
	if (is_raw)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
	is_raw = 0;
}

void
tty_size(int *cols, int *rows)
{
	struct winsize	ws;

	*cols = 80;
	*rows = 24;
	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == -1 &&
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == -1)
		return;
	if (ws.ws_col > 0 && ws.ws_row > 0) {
		*cols = ws.ws_col;
		*rows = ws.ws_row;
	}
}
