/* SPDX-License-Identifier: ISC */
/*
 * What authd tells an administrator of the processes: a row for each role and
 * state, however many there are. Which of them has whose tunnel is not said.
 */
#include <string.h>

#include "metrics/count.h"
#include "proc/roles.h"
#include "relayd.h"

#define STATES	(CHILD_STOPPING + 1)

static void
row_add(struct msg_process *row, const struct child *c)
{
	uint64_t	ms = clock_ms() - c->started_ms;

	if (row->count++ == 0) {
		row->role = (uint8_t)c->role;
		row->state = child_state_name(c->state);
		row->layers = c->layers;
		row->oldest_ms = row->newest_ms = ms;
	}
	row->layers &= c->layers;
	if (ms > row->oldest_ms)
		row->oldest_ms = ms;
	if (ms < row->newest_ms)
		row->newest_ms = ms;
	row->memory += c->memory;
	row->restarts += supervise_restarts(c);
}

static void
say_ourselves(struct chan *chan, uint32_t id)
{
	struct msg_process	row = { .role = ROLE_PARENT, .count = 1,
	    .state = child_state_name(CHILD_READY) };

	row.oldest_ms = row.newest_ms = clock_ms() - env()->started_ms;
	row.memory = counts[CT_MEMORY_PARENT];
	(void)say_process(chan, id, -1, &row);
}

int
processes_on_ask(struct chan *chan, struct imsg *m)
{
	static struct msg_process	rows[ROLE_COUNT][STATES];
	struct child			*c;
	int				 role, state;

	if (get_processes(m) == -1)
		return (-1);
	usage_wanted();
	memset(rows, 0, sizeof(rows));
	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		row_add(&rows[c->role][c->state], c);
	say_ourselves(chan, m->id);
	for (role = 0; role < ROLE_COUNT; role++)
		for (state = 0; state < STATES; state++)
			if (rows[role][state].count > 0)
				(void)say_process(chan, m->id, -1,
				    &rows[role][state]);
	(void)say_processes_end(chan, m->id);
	return (0);
}
