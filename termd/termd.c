/* SPDX-License-Identifier: ISC */
/*
 * termd: one operator terminal.
 *
 * May touch: the browser's socket, one stream end, and where terminals are
 * recorded the end of one file. No other file, no key, no other socket; it
 * cannot open any.
 * Hears from: the parent and authd, what proc/visit.h says; the states are
 * there, too.
 * Starts in main(); the story goes on in terminal.c.
 */
#include "proc/visit.h"
#include "record.h"
#include "terminal.h"

static const struct visit_ops	ops = {
	.role = ROLE_TERMD,
	.class = CLASS_TERMINAL,
	.word = "terminal",
	.operator = terminal_browser,
	.again = terminal_again,
	.stream = terminal_stream,
	.refuse = terminal_refuse,
	.close = terminal_close,
	.counters = terminal_counters,
	.record = record_begin,
};

int
main(int argc, char **argv)
{
	visit_main(&ops, argc, argv);
}
