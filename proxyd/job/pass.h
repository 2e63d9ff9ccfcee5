/* SPDX-License-Identifier: ISC */
#ifndef PASS_H
#define PASS_H

#include "forward.h"
#include "imsg/call.h"
#include "imsg/msg.h"
#include "proxyd/http/flow.h"
#include "proxyd/member.h"

/*
 * The job of a request for another member: forward.c finds whom, and asks for
 * the connection; then pass.c sends the head as it came, and each body as far
 * as its framing reaches, so that both connections can serve the next. Behind a
 * 101 bytes go to and fro until one side ends.
 */

#define FORWARD_WAIT_MS	15000	/* what is asked has a deadline of its own */

struct forward;

/* What it needs of who found the way. */
struct way {
	/* A connection to its member: one that waits, or a new one. */
	void	(*link)(struct forward *);
	/*
	 * The member is not there, or was not for long. It may have drained and
	 * stopped, and what was known of its session be too old: authd is asked
	 * once more, which lets who asks for one that moves wait for it. What
	 * has gone out whole may have been done: of that only what does nothing
	 * goes again. 1: it is.
	 */
	int	(*anew)(struct forward *, const char *why);
	/* It is over: nobody waits for it. */
	void	(*over)(struct forward *);
};

enum forward_phase { F_WHERE, F_LINK, F_HEAD, F_BODY, F_RAW };

struct forward {
	struct conn		*c;
	const struct way	*way;
	enum forward_phase	 phase;
	struct call		 call;
	/* the request, until its answer begins */
	struct httphead		*head;
	enum route		 route;
	struct route_to		 to;
	struct slice		 host;
	forward_here_fn		 here;
	enum forward_kind	 kind;
	char			 id[UUID_SIZE];
	char			 member[MEMBER_SIZE];
	uint32_t		 flags;
	int			 method;
	unsigned		 moves:1,	/* its session does: nothing is known */
				 waits:1,	/* and it counts for its address */
				 repeatable:1,	/* none of it is dropped yet */
				 retried:1, responded:1, keep:1, up_failed:1,
				 anew:1;	/* authd is asked once more */
	size_t			 sent;		/* of what is in c->in */
	size_t			 head_left;	/* to be sent */
	struct flow		 up, down;
	struct httphead_scan	 scan;
	struct mlink		*l;
	struct reach		 reach;		/* for that */
};

/* The connection's job is this, its work a struct forward, which it frees. */
extern const struct job_ops	pass_job;
/* Here is a connection, which it takes: the request. */
void	pass_go(struct forward *, struct mlink *);
/* No answer, or half of one. */
void	pass_fail(struct forward *, const char *why);
void	pass_log(const struct forward *, const char *why);

#endif
