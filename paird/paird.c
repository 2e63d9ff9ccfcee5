/* SPDX-License-Identifier: ISC */
/*
 * paird: all pairings. Devices that have no path to each other swap a few small
 * messages through it, once: pairing-protocol.md.
 *
 * May touch: the sockets of those that pair; no file, no key, no other socket;
 * it cannot open any. It sees what devices say, which is not meant to be secret
 * from a relay, and who they are.
 * Hears from: the parent GIVE, a connection; authd PAIR_CONSUMED, whether a
 * token is new, and PAIR_LEAVE, that devices are to meet elsewhere. It tells
 * authd which connections have come, and how many sessions there are. States:
 * none of its own; clients and sessions have theirs (pair.c). Starts in main();
 * a connection's story is in conn.c, who meets whom in pair.c and boot.c, which
 * know of no socket.
 */
#include <sodium.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/index.h"
#include "base/log.h"
#include "conn.h"
#include "imsg/call.h"
#include "imsg/msg.h"
#include "metrics/count.h"
#include "pair.h"
#include "proc/link.h"
#include "proc/proc.h"

#define ASK_MS		10000	/* for authd's word on a token; an SDK waits 30 s */
#define FILES_MAX	131072

static int	on_give(struct chan *, struct imsg *);
static int	on_leave(struct chan *, struct imsg *);
static void	authd_came(int);
static void	paird_run(void);
static void	paird_configure(void);
static void	paird_turn(void);
static int	on_retire(struct chan *, struct imsg *);
static void	paird_due(void *);
static int	paird_ask(uint64_t, const uint8_t *, int);

static const struct dispatch	parent_table[] = {
	PROC_ROWS
	PROC_RELOAD_ROWS
	{ IMSG_GIVE, R_PARENT, S_ANY, 0, on_give },
	{ IMSG_RETIRE, R_PARENT, S_ANY, 0, on_retire },
};

static const struct dispatch	authd_table[] = {
	{ IMSG_PAIR_CONSUMED, R_AUTHD, S_ANY, MF_ANSWER, NULL },
	{ IMSG_PAIR_LEAVE, R_AUTHD, S_ANY, 0, on_leave },
};

static const struct link_ops	authd = {
	.table = authd_table,
	.rows = sizeof(authd_table) / sizeof(authd_table[0]),
	.came = authd_came,
};

static const struct proc_ops	ops = {
	.role = ROLE_PAIRD,
	.table = parent_table,
	.rows = sizeof(parent_table) / sizeof(parent_table[0]),
	.files = FILES_MAX,
	.channel = link_take,
	.counters = counts_take,
	.run = paird_run,
	.swapped = paird_configure,
	.stop = caller_stop,
};

static struct {
	struct timer		due;
	struct msg_pair_state	said;
	int			speaks;		/* authd has heard it */
} paird;

int
main(int argc, char **argv)
{
	if (sodium_init() == -1)
		return (1);
	index_init();
	link_init(&authd);
	proc_main(&ops, argc, argv);
}

static int
on_retire(struct chan *c, struct imsg *m)
{
	(void)c;
	if (get_retire(m) == -1)
		return (-1);
	if (caller_count() == 0)
		proc_exit(0);
	return (0);
}

static int
on_leave(struct chan *c, struct imsg *m)
{
	(void)c;
	if (get_pair_leave(m) == -1)
		return (-1);
	caller_leave();
	return (0);
}

static void
paird_configure(void)
{
	const struct conf	*c = proc_conf();

	pairs_configure(&(struct pair_limits){
	    .max_clients = c->pair_connections,
	    .max_sessions = c->pair_sessions,
	    .paired_ms = c->pair_lifetime * 1000,
	    .token_check = (int)c->pair_token_check });
}

static void
paird_run(void)
{
	caller_init(paird_ask);
	paird_configure();
	timer_init(&paird.due, paird_due, NULL);
	proc_after_turn(paird_turn);
	paird_turn();
}

static int
on_give(struct chan *c, struct imsg *m)
{
	struct msg_give	 in;

	(void)c;
	if (get_give(m, &in) == -1 || in.class != CLASS_PAIR)
		return (-1);
	if (link_chan() != NULL)
		(void)say_pair_taken(link_chan(), 0, -1,
		    &(struct msg_pair_taken){ .nonce = in.nonce });
	caller_new(m_take_fd(m), in.addr, in.accept, in.bytes.p, in.bytes.len);
	return (0);
}

/* What a token's question waits with. */
struct question {
	struct call	call;
	uint64_t	id;
};

static int
consumed(struct chan *ch, struct imsg *m, void *arg)
{
	struct msg_pair_consumed	 in = { .outcome = PAIR_FULL };
	struct question			*q = arg;
	int				 r;

	(void)ch;
	r = m == NULL ? 0 : get_pair_consumed(m, &in);
	pairs_known(q->id, (enum pair_known)in.outcome, clock_ms());
	free(q);
	return (r);
}

static int
paird_ask(uint64_t id, const uint8_t *hash, int take)
{
	struct question	*q;

	if (link_chan() == NULL || (q = calloc(1, sizeof(*q))) == NULL)
		return (-1);
	q->id = id;
	if (call_start(&q->call, link_chan(), ASK_MS, consumed, q) == 0) {
		free(q);
		return (-1);
	}
	(void)say_pair_consume(link_chan(), q->call.id, -1,
	    &(struct msg_pair_consume){ .jti = { hash, PAIR_HASH },
	    .take = (uint8_t)take });
	return (0);
}

static void
count_all(const struct pair_count *n)
{
	gauge(CT_PAIR_CLIENTS, n->clients);
	gauge(CT_PAIR_WAITING, n->sessions - n->paired);
	gauge(CT_PAIR_PAIRED, n->paired);
	gauge(CT_PAIR_WATCHES, n->watches);
}

/* What has been counted since the last time. */
static void
count_more(const struct pair_count *n)
{
	static struct pair_count	last;

	count_by(CT_PAIR_BY_CODE, n->pairings - last.pairings);
	count_by(CT_PAIR_BY_TOKEN, n->bootstraps - last.bootstraps);
	count_by(CT_PAIR_DATA, n->data - last.data);
	count_by(CT_PAIR_DROPPED, n->dropped - last.dropped);
	count_by(CT_PAIR_ERRORS, n->errors - last.errors);
	count_by(CT_PAIR_REJECTS, n->rejects - last.rejects);
	count_by(CT_PAIR_LIMITED, n->limited - last.limited);
	count_by(CT_PAIR_STRANGERS, n->strangers - last.strangers);
	count_by(CT_PAIR_REFUSED, n->refused - last.refused);
	last = *n;
}

static void
tell_authd(void)
{
	const struct pair_count	*n = pairs_count();
	struct msg_pair_state	 now = { .sessions = (uint32_t)n->sessions,
	    .paired = (uint32_t)n->paired, .clients = (uint32_t)caller_count(),
	    .watches = (uint32_t)n->watches };

	if (link_chan() == NULL || (paird.speaks &&
	    now.sessions == paird.said.sessions &&
	    now.paired == paird.said.paired &&
	    now.clients == paird.said.clients &&
	    now.watches == paird.said.watches))
		return;
	paird.said = now;
	paird.speaks = 1;
	(void)say_pair_state(link_chan(), 0, -1, &now);
}

/* authd hears of a session before its target does. */
static void
paird_turn(void)
{
	uint64_t	due, now = clock_ms();

	tell_authd();
	caller_turn();
	tell_authd();
	count_all(pairs_count());
	count_more(pairs_count());
	if ((due = pairs_due()) == UINT64_MAX)
		timer_del(&paird.due);
	else
		timer_set(&paird.due, due > now ? due - now : 0);
}

static void
paird_due(void *arg)
{
	(void)arg;
	pairs_tick(clock_ms());
}

/* A new one knows nothing. */
static void
authd_came(int again)
{
	(void)again;
	paird.speaks = 0;
}
