/* SPDX-License-Identifier: ISC */
/*
 * Children as records of the table, and back (upgrade.h); and what authd has
 * said that nobody has used yet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/build.h"
#include "base/compat.h"
#include "base/log.h"
#include "entries.h"
#include "imsg/proto.h"
#include "metrics/count.h"
#include "upgrade.h"

static void
head_save(struct table_put *t)
{
	struct table_record	r = { .type = TABLE_HEAD };

	r.head = (struct table_head){ .version = RELAYD_VERSION,
	    .build = build_id, .protocol = PROTOCOL,
	    .messages = proto_sum(PROTOCOL),
	    .previous = proto_sum(PROTOCOL - 1), .last_instance = child_last(),
	    .started_ms = env()->started_ms, .verbose = env()->verbose != 0,
	    .background = !env()->foreground,
	    .serving = (uint8_t)supervise_is_serving(),
	    .asked_by = env()->asked_by, .asked_id = env()->asked_id };
	table_add(t, &r);
}

static void
child_save(struct table_put *t)
{
	struct table_record	 r = { .type = TABLE_CHILD };
	const struct child	*c;
	int			 chan, lines;

	for (c = child_after(0); c != NULL; c = child_after(c->instance)) {
		/* On the way back only those that the old program knows. */
		if (c->pid == 0 || (env()->guarded && !c->inherited))
			continue;
		chan = c->chan != NULL ? chan_fd(c->chan) : -1;
		lines = childlog_fd(c->log);
		r.child = (struct table_child){ .role = (uint8_t)c->role,
		    .instance = c->instance, .pid = (uint32_t)c->pid,
		    .nonce = c->nonce, .started_ms = c->started_ms,
		    .heard_ms = c->heard_ms, .state = (uint8_t)c->state,
		    .answered = c->answered != 0, .layers = c->layers,
		    .bound = c->bound != 0, .system = c->system,
		    .session = c->session, .generation = c->generation,
		    .since = c->since, .addr = c->addr, .giver = c->giver,
		    .place = env()->guarded ? c->place :
		    c->slot != NULL ? c->slot->index + 1 : 0,
		    .build = c->build, .old = env()->guarded ?
		    c->was_old != 0 : c->old != 0,
		    .leaving = c->leaving != 0, .leave_ms = c->leave_ms,
		    .protocol = c->protocol,
		    .chan = (uint32_t)chan,
		    .chan_inode = tablefile_inode(chan),
		    .log = (uint32_t)lines,
		    .log_inode = tablefile_inode(lines) };
		table_add(t, &r);
	}
}

struct child *
child_restore(const struct table_child *in, int old, int chan, int lines)
{
	struct child	*c;

	if (in->instance == 0 || child_find(in->instance) != NULL ||
	    child_find_pid((pid_t)in->pid) != NULL ||
	    (c = calloc(1, sizeof(*c))) == NULL)
		return (NULL);
	c->role = in->role;
	c->instance = in->instance;
	c->nonce = in->nonce;
	c->started_ms = in->started_ms;
	c->heard_ms = in->heard_ms < clock_ms() ? in->heard_ms : clock_ms();
	c->answered = in->answered;
	c->layers = in->layers;
	c->bound = in->bound;
	c->generation = in->generation;
	c->since = in->since;
	c->place = in->place;
	c->old = old || in->old;
	c->protocol = in->protocol;
	c->leaving = in->leaving;
	c->leave_ms = in->leave_ms;
	c->was_old = in->old;
	c->inherited = 1;
	strlcpy(c->system, in->system, sizeof(c->system));
	strlcpy(c->session, in->session, sizeof(c->session));
	strlcpy(c->addr, in->addr, sizeof(c->addr));
	strlcpy(c->build, in->build, sizeof(c->build));
	child_number_from(in->instance + 1);
	child_list(c);
	child_set_pid(c, (pid_t)in->pid);
	if ((role_info(c->role)->flags & RF_LOGIN) && c->bound)
		gauge_move(CT_TUNNELS, 1);
	child_set_giver(c, in->giver);
	if (spawn_adopt(c, chan, lines) == -1)
		kill_child(c, "not taken over");
	child_set_state(c, (enum child_state)in->state);
	return (c);
}

/* ---- authd's words ---- */

static void
pass_save(void *arg, uint64_t nonce, uint64_t instance, uint8_t class,
    uint64_t until_ms)
{
	struct table_record	r = { .type = TABLE_PASS };

	r.pass = (struct table_pass){ .nonce = nonce, .instance = instance,
	    .class = class, .until_ms = until_ms };
	table_add(arg, &r);
}

void
give_take(const struct table_pass *in)
{
	give_expect(in->nonce, in->instance, in->class, in->until_ms);
}

static void
drain_save(struct table_put *t)
{
	struct table_record	r = { .type = TABLE_DRAIN };

	r.drain = (struct table_drain){ .until = env()->drain_until };
	if (r.drain.until != 0)
		table_add(t, &r);
}

/* As the row in the store has it: as before, while no new authd serves. */
static void
member_save(struct table_put *t)
{
	const struct conf	*c = &env()->conf;
	struct table_record	 r = { .type = TABLE_MEMBER };
	int			 was = env()->was_at[0] != '\0';

	r.member = (struct table_member){ .name = c->cluster_name,
	    .address = was ? env()->was_at : c->cluster_address,
	    .port = was ? env()->was_port : (uint32_t)c->cluster_port };
	if (c->cluster_name[0] != '\0')
		table_add(t, &r);
}

/* ---- all of it ---- */

int
handover_write(char *err, size_t err_size)
{
	struct table_put	t = { .p = NULL };
	int			fd = -1;

	head_save(&t);
	child_save(&t);
	listen_save(&t);
	entries_save(&t);
	give_each(pass_save, &t);
	spawn_save(&t);
	drain_save(&t);
	member_save(&t);
	if (table_end(&t) == 0)
		fd = tablefile_seal(t.p, t.len, err, err_size);
	else
		snprintf(err, err_size, "the table cannot be written");
	free(t.p);
	return (fd);
}
