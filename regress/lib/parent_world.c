/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <event2/event.h>

#include <unistd.h>

#include "base/log.h"
#include "regress/lib/parent_world.h"
#include "regress/lib/tap.h"

struct env	 test_env;
char		 killed[256];
int		 spawned, spawn_fails;
int		 far_fd = -1;

/* What the parent's other files would do. */

struct env *
env(void)
{
	return (&test_env);
}

void
supervise_ready(struct child *c)
{
	child_set_state(c, CHILD_READY);
}

int
supervise_is_well(void)
{
	return (1);
}

void
supervise_serving(void)
{
}

void
kill_hung(struct child *c, const char *reason)
{
	kill_child(c, reason);
}

void
kill_child(struct child *c, const char *reason)
{
	snprintf(killed, sizeof(killed), "%s", reason);
	chan_free(c->chan);
	c->chan = NULL;
}

unsigned
supervise_restarts(const struct child *c)
{
	(void)c;
	return (0);
}

int
admin_on_ctl(struct chan *chan, struct imsg *m)
{
	(void)chan;
	(void)m;
	return (0);
}

int
admin_on_request(struct chan *chan, struct imsg *m)
{
	(void)chan;
	(void)m;
	return (0);
}

static void
no_deadline(void *arg)
{
	(void)arg;
}

struct child *
child_make(int role, enum child_state state, int *far)
{
	struct child	*c = child_new(role, NULL, 0);
	int		 sv[2];

	if (c == NULL || imsg_pair(sv) == -1)
		bail_out("no child");
	c->chan = chan_new(test_env.base, sv[0], role, parent_table,
	    parent_rows, parent_channel_closed, c);
	chan_set_instance(c->chan, c->instance);
	timer_init(&c->deadline, no_deadline, c);
	child_set_state(c, state);
	*far = sv[1];
	return (c);
}

struct child *
spawn_child(int role, struct slot *slot, uint64_t nonce)
{
	(void)slot;
	(void)nonce;
	spawned++;
	return (spawn_fails ? NULL :
	    child_make(role, CHILD_STARTING, &far_fd));
}

/* The message that is said next. */
static struct {
	uint32_t	type;
	uint8_t		buf[IMSG_MAX];
	size_t		len;
} msg;

void
make(uint32_t type, const void *m)
{
	msg.type = type;
	msg.len = (size_t)msg_put(type, m, msg.buf, sizeof(msg.buf));
}

void
turn(void)
{
	int	i;

	for (i = 0; i < 4; i++)
		event_base_loop(test_env.base, EVLOOP_NONBLOCK);
}

void
say_made(int far, int fd)
{
	say_raw(far, msg.type, 0, fd == -1 ? -1 : dup(fd), msg.buf, msg.len);
}

void
child_says(int far, int fd)
{
	killed[0] = '\0';
	say_made(far, fd);
	turn();
}

struct child *
newest(int role)
{
	struct child	*c, *found = NULL;

	for (c = child_after(0); c != NULL; c = child_after(c->instance))
		if (c->role == role)
			found = c;
	return (found);
}

void
parent_begin(void)
{
	log_init("test", -1, 0);
	conf_init(&test_env.conf);
	test_env.conf.startups_begin = test_env.conf.startups_full = 1;
	if ((test_env.base = event_base_new()) == NULL)
		bail_out("event loop");
	clock_init(test_env.base);
}

void
parent_end(void)
{
	struct child	*c;

	while ((c = child_after(0)) != NULL)
		child_free(c);
	give_clear();
	clock_clear();
	event_base_free(test_env.base);
	if (far_fd != -1)
		close(far_fd);
}
