/* SPDX-License-Identifier: ISC */
/*
 * A request for another member: whom is asked of authd, who gives the
 * connection as well.
 */
#include <llhttp.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/compat.h"
#include "base/rate.h"
#include "forward.h"
#include "imsg/imsg.h"
#include "pass.h"
#include "proc/link.h"
#include "proxyd/http/hdr.h"
#include "proxyd/moving.h"
#include "proxyd/refused.h"
#include "whose.h"

#define WHERE_MS	14000	/* authd lets who asks for one wait that moves */
#define LINK_MS		4000
#define ASKS		1200	/* of one address */
#define ASKS_MS		60000
#define ADDRS		8192
#define WAITS		256	/* of one address, for sessions that move, */
#define WAITS_ALL	512	/* and with first asks, which may wait, too */
#define WAITS_RETRY_S	1

static int	forward_ask(struct forward *);
static void	forward_link(struct forward *);

/* What its client's address counts as. */
static void
forward_key(const struct forward *f, char key[ADDR_SIZE])
{
	char	addr[ADDR_SIZE];

	addr_print(&f->c->addr, addr);
	rate_address(addr, key);
}

/*
 * Who asks for a session has one of the places that authd has for us, until he
 * hears: a moment, or as long as the session moves, which is not always known
 * here. Not all of them are one address's, whatever sessions it names. 0, or
 * -1: it has its share.
 */
static struct rate	*waits;

static int
wait_begin(struct forward *f)
{
	char		key[ADDR_SIZE];
	uint32_t	retry;

	if (f->kind != FORWARD_SESSION)
		return (0);
	if (waits == NULL && (waits = rate_new(ADDRS)) == NULL)
		return (-1);
	forward_key(f, key);
	if (rate_hit(waits, key, f->moves ? WAITS : WAITS_ALL, RATE_EVER,
	    &retry) == -1)
		return (-1);
	f->waits = 1;
	return (0);
}

static void
wait_over(struct forward *f)
{
	char	key[ADDR_SIZE];

	if (!f->waits)
		return;
	f->waits = 0;
	forward_key(f, key);
	rate_back(waits, key);
}

/* ---- whom, and how ---- */

static int
forward_anew(struct forward *f, const char *why)
{
	if (f->kind != FORWARD_SESSION || f->anew || f->responded)
		return (0);
	if (f->phase != F_LINK && (f->phase != F_HEAD || !f->repeatable ||
	    f->l->in != NULL || (f->head->flags & HTTPHEAD_UPGRADE) ||
	    (f->method != HTTP_GET && f->method != HTTP_HEAD &&
	    f->method != HTTP_OPTIONS)))
		return (0);
	if (wait_begin(f) == -1)
		return (0);
	pass_log(f, why);
	f->anew = 1;
	mlink_free(f->l);
	f->l = NULL;
	f->sent = 0;
	f->phase = F_WHERE;
	member_forget(f->kind, f->id);
	conn_deadline(f->c, FORWARD_WAIT_MS);
	return (forward_ask(f) == 0);
}

static void
forward_linked(void *arg, struct mlink *l, const char *why)
{
	struct forward	*f = arg;

	if (l != NULL)
		pass_go(f, l);
	else if (!forward_anew(f, why))
		pass_fail(f, why);
}

static void
forward_link(struct forward *f)
{
	struct conn	*c = f->c;
	struct mlink	*l;

	f->phase = F_LINK;
	if (!f->retried &&
	    (l = mlink_take(f->member, &c->addr, f->flags)) !=
	    NULL) {
		pass_go(f, l);
		return;
	}
	strlcpy(f->reach.member, f->member, sizeof(f->reach.member));
	f->reach.client = c->addr;
	f->reach.flags = f->flags;
	f->reach.then = forward_linked;
	f->reach.arg = f;
	reach_begin(&f->reach, c->request, LINK_MS);
}

static const struct way	way = { forward_link, forward_anew, wait_over };

/* It is for here: as if nothing had been. */
static void
forward_not(struct forward *f)
{
	struct conn	*c = f->c;
	struct httphead	*h = f->head;
	struct route_to	 to = f->to;
	struct slice	 host = f->host;
	forward_here_fn	 here = f->here;
	enum route	 route = f->route;

	f->head = NULL;
	c->job = NULL;
	pass_job.end(c);
	c->work = NULL;
	c->state = CONN_HEAD;
	here(c, h, route, &to, &host);
	free(h);
}

static int
forward_where(struct chan *ch, struct imsg *m, void *arg)
{
	struct forward		*f = arg;
	struct msg_where_is	 in;

	(void)ch;
	wait_over(f);
	if (m == NULL) {
		forward_not(f);		/* what has to be said, is said here */
		return (0);
	}
	if (get_where_is(m, &in) == -1)
		return (-1);
	if (!f->moves)
		member_note(f->kind, f->id, in.member);
	strlcpy(f->member, in.member, sizeof(f->member));
	if (f->member[0] == '\0')
		forward_not(f);
	else
		forward_link(f);
	return (0);
}

/* ---- which requests ---- */

/*
 * Ids that nobody has cost a look into the store: not as many as one likes. A
 * session that moves is named by authd, which asks for all who wait at once.
 */
static int
may_ask(const struct forward *f)
{
	static struct rate	*asks;
	char			 key[ADDR_SIZE];
	uint32_t		 retry;

	if (f->moves)
		return (1);
	if (asks == NULL && (asks = rate_new(ADDRS)) == NULL)
		return (0);
	forward_key(f, key);
	return (rate_hit(asks, key, ASKS, ASKS_MS, &retry) == 0);
}

static int
forward_ask(struct forward *f)
{
	struct chan	*ch = link_chan();
	uint32_t	 id;

	if (!may_ask(f) || (id = call_start(&f->call, ch, WHERE_MS,
	    forward_where, f)) == 0)
		return (-1);
	(void)say_where(ch, id, -1, &(struct msg_where){
	    .kind = (uint8_t)f->kind, .session = f->id,
	    .request = f->c->request });
	return (0);
}

static void
forward_init(struct forward *f, struct conn *c, const struct httphead *h)
{
	f->c = c;
	f->way = &way;
	f->method = h->method;
	f->flags = (c->listen_flags & LISTEN_ALONG) |
	    (c->trusted ? LISTEN_VOUCHED : 0);
}

int
forward_begin(struct conn *c, const struct httphead *h, enum route route,
    const struct route_to *to, const struct slice *host, forward_here_fn here)
{
	struct forward	*f;
	const char	*member = "";
	int		 known, moves;

	if ((c->listen_flags & LISTEN_LED) || (f = calloc(1, sizeof(*f))) == NULL)
		return (0);
	f->route = route;
	f->to = *to;
	f->host = *host;
	f->here = here;
	forward_init(f, c, h);
	/*
	 * What a member has passed on goes no further, but after its session:
	 * to where that is now, as authd says. Two members that remembered each
	 * the other would pass it to and fro.
	 */
	if (whose(c, h, route, to, &f->kind, f->id) == -1 ||
	    (!(moves = f->kind == FORWARD_SESSION && moving_is(f->id)) &&
	    (c->listen_flags & LISTEN_FORWARDED) &&
	    (f->kind != FORWARD_SESSION || !moving_has_begun())) ||
	    ((known = !moves && !(c->listen_flags & LISTEN_FORWARDED) &&
	    member_known(f->kind, f->id, &member)) &&
	    member[0] == '\0') || (f->head = hdr_keep(h)) == NULL) {
		free(f);
		return (0);
	}
	f->moves = moves != 0;
	strlcpy(f->member, member, sizeof(f->member));
	if (!known && wait_begin(f) == -1) {
		free(f->head);
		free(f);
		refused(c, ALONE_BUSY);
		answer_later(c, 503, "too many requests of this address wait "
		    "to hear where their session is", WAITS_RETRY_S);
		return (1);
	}
	if (!known && forward_ask(f) == -1) {
		wait_over(f);
		free(f->head);
		free(f);
		return (0);
	}
	conn_job(c, &pass_job, f);
	conn_deadline(c, FORWARD_WAIT_MS);
	if (known)
		forward_link(f);
	return (1);
}

/* One that is not there is told of by authd in a moment: nobody is asked. */
void
forward_to(struct conn *c, struct httphead *h, const char *member, int led)
{
	struct forward	*f;

	if ((f = calloc(1, sizeof(*f))) == NULL) {
		free(h);
		answer_later(c, 503, "out of memory", 1);
		return;
	}
	forward_init(f, c, h);
	f->head = h;
	f->kind = FORWARD_MEMBER;
	if (led)
		f->flags |= LISTEN_LED;
	strlcpy(f->member, member, sizeof(f->member));
	conn_job(c, &pass_job, f);
	conn_deadline(c, FORWARD_WAIT_MS);
	forward_link(f);
}
