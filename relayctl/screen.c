/* SPDX-License-Identifier: ISC */
#include <sys/ioctl.h>

#include <curses.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "screen.h"

static struct {
	SCREEN	*curses;
	int	 line;
} screen;

int
screen_open(void)
{
	if ((screen.curses = newterm(NULL, stdout, stdin)) == NULL)
		return (-1);
	if (tigetstr("cup") == NULL || tigetstr("clear") == NULL) {
		screen_close();
		return (-1);
	}
	(void)cbreak();
	(void)noecho();
	(void)nonl();
	(void)curs_set(0);
	(void)keypad(stdscr, TRUE);
	(void)nodelay(stdscr, TRUE);
	set_escdelay(50);
	return (0);
}

void
screen_close(void)
{
	if (screen.curses == NULL)
		return;
	(void)endwin();
	delscreen(screen.curses);
	screen.curses = NULL;
}

void
screen_resize(void)
{
	struct winsize	ws;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0 &&
	    ws.ws_col > 0)
		(void)resizeterm(ws.ws_row, ws.ws_col);
	(void)clearok(curscr, TRUE);
}

void
screen_size(size_t *lines, size_t *columns)
{
	*lines = (size_t)LINES;
	*columns = (size_t)COLS;
}

void
screen_begin(void)
{
	(void)erase();
	screen.line = 0;
}

/* Where the locale has no such characters curses would make more of them. */
static void
put(const char *s)
{
	for (; *s != '\0'; s++)
		if (!(*s & 0x80))
			(void)addch((unsigned char)*s);
		else if ((*s & 0xc0) == 0xc0)
			(void)addch('?');
}

void
screen_line(int reverse, const char *s)
{
	if (screen.line >= LINES)
		return;
	(void)move(screen.line++, 0);
	if (reverse)
		(void)attron(A_REVERSE);
	if (MB_CUR_MAX == 1)
		put(s);
	else
		(void)addnstr(s, -1);
	if (reverse)
		(void)attroff(A_REVERSE);
}

void
screen_end(void)
{
	(void)refresh();
}

int
screen_key(void)
{
	int	ch = getch();

	return (ch == ERR ? SCREEN_NONE : ch == KEY_LEFT || ch == KEY_UP ?
	    SCREEN_LEFT : ch == KEY_RIGHT || ch == KEY_DOWN ? SCREEN_RIGHT :
	    ch);
}
