/* SPDX-License-Identifier: ISC */
#include <event2/event.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "authd/store/audit.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/index.h"
#include "proc/proc.h"
#include "storeworld.h"

#define OPEN_TRIES	600	/* of 100 ms */

static struct {
	struct event_base	*base;
	const char		*server;
	char			 path[64];
	int			 commit;	/* -1: not yet */
	char			 taken[HEX64_SIZE];
	struct answer		 answer;
	void			*rows;
	int			 answered;
	int			 applied;
} world;

static const size_t	row_sizes[] = {
#define Q(NAME, word, how, row)	sizeof(row),
#include "authd/store/ask.def"
#undef Q
};

struct event_base *
proc_base(void)
{
	return (world.base);
}

/* What the server's engine says by itself. */
void
audit_done(const struct audit *a)
{
	(void)a;
}

static void
give_up(const char *what)
{
	printf("Bail out! %s: %s\n", what, store_why_not());
	exit(1);
}

static void
turn_loop(void)
{
	event_base_loop(world.base, EVLOOP_ONCE);
}

static void
taken(const char *id)
{
	strlcpy(world.taken, id, sizeof(world.taken));
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
on_applied(const char *err, void *arg)
{
	(void)arg;
	if (err != NULL)
		give_up(err);
	world.applied = 1;
}

static void
apply(void)
{
	struct store_schema	s;

	store_schema(&s);
	if (!world.applied && s.version != -1 && s.version != s.needed) {
		if (store_schema_apply(on_applied, NULL) == -1)
			give_up("schema apply");
		while (!world.applied)
			turn_loop();
	}
}

static void
store_begin(void)
{
	int	i;

	if (world.server != NULL && store_server(world.server, 3) == -1)
		give_up("where it is");
	for (i = 0; store_open(world.path) != 0; i++) {
		if (i == OPEN_TRIES || world.server == NULL)
			give_up("cannot open");
		turn_loop();
		apply();
	}
	store_on_taken(taken);
}

void
world_open(void)
{
	static const struct timeval	tick = { 0, 100000 };

	world.server = getenv("RELAYD_STORE_SERVER");
	snprintf(world.path, sizeof(world.path), "/tmp/storeworld.%d",
	    (int)getpid());
	if (sodium_init() == -1 || (world.base = event_base_new()) == NULL)
		give_up("no loop");
	index_init();
	clock_init(world.base);
	event_add(event_new(world.base, -1, EV_PERSIST, on_tick, NULL), &tick);
	unlink(world.path);
	store_begin();
}

void
world_reopen(void)
{
	store_close();
	store_begin();
}

void
world_close(void)
{
	char	more[80];

	store_close();
	unlink(world.path);
	snprintf(more, sizeof(more), "%s-wal", world.path);
	unlink(more);
	snprintf(more, sizeof(more), "%s-shm", world.path);
	unlink(more);
	free(world.rows);
}

int
world_is_server(void)
{
	return (world.server != NULL);
}

const char *
world_path(void)
{
	return (world.path);
}

static void
on_commit(int ok, void *arg)
{
	(void)arg;
	world.commit = ok;
}

int
world_commit(void)
{
	world.commit = -1;
	world.taken[0] = '\0';
	store_commit(on_commit, NULL);
	while (world.commit == -1)
		turn_loop();
	return (world.commit);
}

const char *
world_taken(void)
{
	return (world.taken);
}

static void
on_answer(const struct answer *a, void *arg)
{
	enum store_what	what = *(const enum store_what *)arg;
	size_t		size = row_sizes[what] * a->n;

	if (a->n > 0 && (what == ASK_DIAGNOSTICS || what == ASK_USERS ||
	    what == ASK_USERS_OF || what == ASK_GUEST_SERVICES))
		size = sizeof(*a->document) + a->document->len + 1;
	free(world.rows);
	world.answer = *a;
	if ((world.rows = malloc(size + 1)) == NULL)
		give_up("out of memory");
	if (size > 0)
		memcpy(world.rows, a->any, size);
	world.answer.any = world.rows;
	world.answered = 1;
}

const struct answer *
world_ask(const struct question *q)
{
	enum store_what	what = q->what;

	world.answered = 0;
	(void)store_ask(q, on_answer, &what);
	while (!world.answered)
		turn_loop();
	return (&world.answer);
}

const struct answer *
world_key(enum store_what what, const char *key)
{
	return (world_ask(&(struct question){ .what = what, .key = key,
	    .org_role = "owner", .org_id = "", .now = 1 }));
}

/* On a server each goes on behind the call, and a question waits for it. */
void
world_purge(const struct store_keep *k)
{
	int	i;

	for (i = 0; i < 40 && store_purge(k) == 1; i++) {
		if (!world_commit())
			give_up("purge");
		if (world.server != NULL)
			turn_loop();
	}
	(void)world_commit();
}
