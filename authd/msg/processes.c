/* SPDX-License-Identifier: ISC */
/*
 * For an administrator's look at the daemon. The parent is asked once for all
 * who look within a second, so that nobody makes it work by looking often.
 */
#include <string.h>

#include "base/clock.h"
#include "base/compat.h"
#include "handlers.h"
#include "imsg/call.h"
#include "imsg/msg.h"
#include "metrics/pages.h"
#include "proc/proc.h"
#include "processes.h"

#define FRESH_MS	1000
#define ANSWER_MS	3000
#define WAIT_MAX	32

static struct {
	/* the last answer, or the one that comes */
	struct process	 rows[PROCESSES_MAX];
	size_t		 n;
	uint64_t	 asked_ms;	/* 0: never, or no answer came */
	struct call	 call;
	struct {
		processes_fn	 fn;
		void		*arg;
	}		 waits[WAIT_MAX];
	size_t		 nwaits;
	/* the last hour */
	struct history	 history;
	struct timer	 look;
} processes;

static void
look(void *arg)
{
	struct history_look	l;

	(void)arg;
	history_see(&l, pages_seen(), clock_wall_ms());
	history_keep(&processes.history, &l);
	timer_set(&processes.look, HISTORY_S * 1000);
}

void
processes_init(void)
{
	timer_init(&processes.look, look, NULL);
	look(NULL);
}

const struct history *
processes_history(void)
{
	return (&processes.history);
}

static void
tell_all(int good)
{
	size_t	i, n = processes.nwaits;

	processes.nwaits = 0;
	for (i = 0; i < n; i++)
		processes.waits[i].fn(processes.waits[i].arg,
		    good ? processes.rows : NULL, processes.n);
}

static int
said(struct chan *c, struct imsg *m, void *arg)
{
	int	r = m == NULL ? 0 : get_processes_end(m);

	(void)c;
	(void)arg;
	if (m == NULL || r == -1)
		processes.asked_ms = 0;
	tell_all(m != NULL && r == 0);
	return (r);
}

int
processes_on_process(struct chan *c, struct imsg *m)
{
	struct msg_process	 in;
	struct process		*p;

	(void)c;
	if (get_process(m, &in) == -1 || in.role >= ROLE_COUNT)
		return (-1);
	if (!call_waits(&processes.call) || processes.call.id != m->id)
		return (0);		/* too late */
	if (processes.n == PROCESSES_MAX)
		return (-1);
	p = &processes.rows[processes.n++];
	p->role = in.role;
	strlcpy(p->state, in.state, sizeof(p->state));
	p->count = in.count;
	p->layers = in.layers;
	p->restarts = in.restarts;
	p->oldest_ms = in.oldest_ms;
	p->newest_ms = in.newest_ms;
	p->memory = in.memory;
	return (0);
}

int
processes_ask(processes_fn fn, void *arg)
{
	uint32_t	id;

	if (!call_waits(&processes.call) && processes.asked_ms != 0 &&
	    clock_ms() - processes.asked_ms < FRESH_MS) {
		fn(arg, processes.rows, processes.n);
		return (0);
	}
	if (processes.nwaits == WAIT_MAX)
		return (-1);
	if (!call_waits(&processes.call)) {
		if ((id = call_start(&processes.call, proc_parent(), ANSWER_MS,
		    said, NULL)) == 0)
			return (-1);
		processes.n = 0;
		processes.asked_ms = clock_ms();
		(void)say_processes(proc_parent(), id);
	}
	processes.waits[processes.nwaits].fn = fn;
	processes.waits[processes.nwaits++].arg = arg;
	return (0);
}
