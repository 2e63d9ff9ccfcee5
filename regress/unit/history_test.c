/* SPDX-License-Identifier: ISC */
/* The last hour: what is kept, in which order, and pages that lie. */
#include <string.h>

#include "metrics/history.h"
#include "metrics/ids.h"
#include "proc/roles.h"
#include "regress/lib/tap.h"

static uint64_t			a[METRIC_MOST], b[METRIC_MOST], p[METRIC_MOST];
static struct metric_pages	pages = { 3, { { ROLE_PROXYD, a },
				    { ROLE_PROXYD, b }, { ROLE_PARENT, p } } };
static struct history		h;

static void
look(int64_t at)
{
	struct history_look	l;

	history_see(&l, &pages, at);
	history_keep(&h, &l);
}

static long long
value(unsigned i, unsigned series)
{
	return ((long long)history_value(history_at(&h, i - 1),
	    history_at(&h, i), series));
}

static void
test_names(void)
{
	unsigned	i, j;

	for (i = 0; i < HISTORY_SERIES; i++) {
		ok(strspn(history_name(i), "abcdefghijklmnopqrstuvwxyz_") ==
		    strlen(history_name(i)), "%s: a name", history_name(i));
		for (j = 0; strcmp(history_name(i), history_name(j)) != 0; j++)
			continue;
		is_int(j, i, "%s: once", history_name(i));
	}
}

static void
test_sums(void)
{
	ok(history_at(&h, 0) == NULL, "nothing has been seen");
	a[CT_CONN_FRONT] = 3;
	b[CT_CONN_TUNNEL] = 4;
	a[CT_ROUTE_PROXY] = 100;
	p[CT_END_ERROR_CONTROL] = 1;
	look(1000);
	a[CT_ROUTE_PROXY] = 130;
	b[CT_ROUTE_NOT_FOUND] = 7;
	p[CT_END_SIGNAL_AUTHD] = 1;
	p[CT_END_KILLED_AUTHD] = 50;
	p[CT_OFFENCE_MUXD] = 1;
	p[CT_HUNG_PROXYD] = 1;
	look(61000);
	is_int(value(1, HISTORY_connections), 7, "a state: of all pages");
	is_int(value(1, HISTORY_requests), 37, "what grows: how many more");
	is_int(value(1, HISTORY_process_failures), 3,
	    "failures: by signal, an offence, one that hung");
	is_int(value(1, HISTORY_tunnels), 0, "nobody has a page: 0");
}

static void
test_lies(void)
{
	a[CT_ROUTE_PROXY] = 5;
	look(121000);
	is_int(value(2, HISTORY_requests), 0, "one that goes back: no more");
	a[CT_ROUTE_PROXY] = UINT64_MAX;
	look(181000);
	is_int(value(3, HISTORY_connections), 7,
	    "who lies about one number lies about no other");
}

static void
test_ring(void)
{
	int64_t		at;
	unsigned	i;

	for (at = 0; at < 3 * HISTORY_LOOKS + 5; at++)
		look(1000000 + at);
	for (i = 0; history_at(&h, i) != NULL; i++)
		if (history_at(&h, i)->at != 1000000 + at - HISTORY_LOOKS + i)
			break;
	is_int(i, HISTORY_LOOKS, "the newest, in order, and no more");
}

int
main(void)
{
	test_names();
	test_sums();
	test_lies();
	test_ring();
	return (done_testing());
}
