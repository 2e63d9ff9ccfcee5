/* SPDX-License-Identifier: ISC */
/* The ends of an exchange: done, failed before an answer, or cut off. */
#include <sys/socket.h>

#include <stdlib.h>

#include "answer.h"
#include "base/log.h"
#include "hold.h"
#include "metrics/count.h"
#include "proc/proc.h"
#include "proxy.h"

#define REPLY_LINE_MS	60000	/* operator-api.md, 7.12 */

/*
 * Who has closed may have gone. An interim answer would tell, but not to who
 * does not take one, or has some of the other: they do not wait for long.
 */
void
exch_moved(struct proxy *p)
{
	const struct conn	*c = p->c;
	uint64_t		 ms = proc_conf()->proxy_idle * 1000;

	if (c->eof && (c->http10 || p->x.responded) && ms > CONN_HALF_MS)
		ms = CONN_HALF_MS;
	conn_deadline(p->c, ms);
}

void
exch_deadline(struct proxy *p)
{
	if (p->x.phase == X_LINE)
		conn_deadline(p->c, REPLY_LINE_MS);
	else
		exch_moved(p);
}

void
exch_let_go(struct proxy *p)
{
	if (p->use.st != NULL)
		upstream_close(p->use.st);
	hold_free(p->x.hold);
	buf_put(&p->x.head);
	free(p->x.origin);
	p->x.origin = NULL;
	free(p->x.dir);
	p->x.dir = NULL;
}

void
exch_done(struct proxy *p)
{
	struct conn	*c = p->c;
	struct exch	*x = &p->x;
	struct upstream	*st = p->use.st;

	if (p->step == PROXY_RAW) {
		/* The service has said all; the browser may still talk. */
		plain_end(&c->plain, 1);
		shutdown(c->fd, SHUT_WR);
		x->down.done = 1;
		if (c->eof || x->up_failed)
			conn_close(c, "done", 0);
		return;
	}
	if (x->reuse && !x->down.chunk.odd && !x->up_failed && flow_over(&x->up) &&
	    x->head == NULL && (st->in == NULL || st->in->len == 0)) {
		buf_put(&st->in);
		upstream_keep(st);
	} else
		upstream_close(st);
	if (c->in != NULL && x->up.ready > 0)
		c->body_left = 1;
	conn_answered(c);
}

void
exch_fail(struct proxy *p, int status, const char *message)
{
	struct conn	*c = p->c;

	if (p->x.responded) {
		exch_cut(p, message);
		return;
	}
	count(CT_PROXIED_FAILED);
	if (c->head_len > 0 && c->in != NULL)
		buf_drop(c->in, c->head_len);
	c->head_len = 0;
	if (!flow_over(&p->x.up) || p->x.upgrade)
		c->body_left = 1;
	exch_let_go(p);
	answer_error(c, status, message);
}

void
exch_cut(struct proxy *p, const char *why)
{
	count(CT_PROXIED_CUT);
	conn_close(p->c, why, 1);
}
