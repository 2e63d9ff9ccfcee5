/* SPDX-License-Identifier: ISC */
#ifndef EXCHANGE_H
#define EXCHANGE_H

#include <event2/event_struct.h>

#include <stddef.h>

#include "http/head.h"
#include "net.h"

/*
 * One request and the head of its answer, over a connection: what the server
 * and a proxy are asked before it carries something else.
 */

/*
 * `head` lies in the exchange's buffer, with what came behind it; NULL: `why`,
 * "" is that the peer has closed the connection. The exchange is stopped.
 */
typedef void	(*exchange_fn)(void *, const struct httphead *head,
		    const char *why);

/* Embedded; zeroed memory is one that is stopped. */
struct exchange {
	/* the owner's, who frees them when it is stopped */
	struct sock		*sock;
	int			 method;	/* enum llhttp_method */
	char			*request;	/* wiped once it is sent */
	size_t			 request_len;
	char			*buf;
	size_t			 size;	/* HTTPHEAD_RESPONSE_MAX at most */
	exchange_fn		 fn;
	void			*arg;
	/* ours */
	size_t			 sent;
	size_t			 len;		/* in the buffer */
	struct httphead_scan	 scan;
	struct event		 ev_read, ev_write;
	int			 on;
};

/* Begin; `fn` may be called before this returns, and may free the exchange. */
void	exchange_start(struct exchange *);
/* Harmless when it is stopped. */
void	exchange_stop(struct exchange *);

#endif
