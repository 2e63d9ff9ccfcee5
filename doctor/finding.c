/* SPDX-License-Identifier: ISC */
/* The findings. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "doctor.h"
#include "relayctl/output.h"

static struct rows	*rows;
static enum state	 worst;

static void
row(const char *check, const char *state, const char *found,
    const char *needed, const char *advice)
{
	const char	*cells[] = { check, state, found, needed, advice };
	size_t		 i;

	if (rows_add(rows, 5) == -1)
		exit(EXIT_WRONG);
	for (i = 0; i < 5; i++)
		if (rows_cell(rows, cells[i]) == -1)
			exit(EXIT_WRONG);
}

__attribute__((format(printf, 5, 0))) static void
finding_add(enum state state, const char *check, const char *found,
    const char *needed, const char *fmt, va_list ap)
{
	static const char *const	names[] = { "ok", "warning", "wrong" };
	char				advice[1024];

	if (rows == NULL) {
		if ((rows = rows_new()) == NULL)
			exit(EXIT_WRONG);
		row("check", "state", "found", "needed", "advice");
	}
	vsnprintf(advice, sizeof(advice), fmt, ap);
	row(check, names[state], found, needed, state == FINE ? "" : advice);
	if (state > worst)
		worst = state;
}

void
finding(enum state state, const char *check, const char *found,
    const char *needed, const char *advice, ...)
{
	va_list	ap;

	va_start(ap, advice);
	finding_add(state, check, found, needed, advice, ap);
	va_end(ap);
}

void
finding_least(const char *check, uint64_t found, uint64_t needed,
    const char *advice, ...)
{
	char	has[32], wants[32];
	va_list	ap;

	snprintf(has, sizeof(has), "%" PRIu64, found);
	snprintf(wants, sizeof(wants), "%" PRIu64, needed);
	va_start(ap, advice);
	finding_add(found < needed ? WRONG : FINE, check, found == UNLIMITED ?
	    "unlimited" : has, wants, advice, ap);
	va_end(ap);
}

int
findings_print(int json)
{
	unsigned long	before = 0;

	if (json) {
		if (rows_json(rows, &before, stdout) == -1)
			return (EXIT_WRONG);
		rows_json_end(before, stdout);
	} else
		rows_table(rows, 1, stdout);
	rows_free(rows);
	if (fflush(stdout) == EOF)
		return (EXIT_WRONG);
	return (worst == WRONG ? EXIT_WRONG : worst == WARN ? EXIT_WARN : 0);
}
