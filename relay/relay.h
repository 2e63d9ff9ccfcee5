/* SPDX-License-Identifier: ISC */
#ifndef RELAY_H
#define RELAY_H

#include "net/proxy.h"

struct event_base;

/* What the parts of relay, the operator's tool, share. */

/* EXIT STATUS in relay(1); relayctl's and tunnel-client's are the same. */
enum { EXIT_DONE, EXIT_REFUSED, EXIT_USAGE, EXIT_UNREACHED };

#define SESSION_SIZE	37	/* of an id, with a NUL */

/* How something has ended. */
enum ended {
	ENDED_WELL,		/* both sides have said all */
	ENDED_REFUSED,		/* by the server, or the service is not there */
	ENDED_UNREACHED,	/* no way to the server */
	ENDED_LOST		/* it broke off: what came may be cut */
};

/* What is to be reached, and with what: the same for each connection. */
struct relay {
	struct url	 url;
	struct proxy	*proxy;		/* to be asked; NULL: none */
	char		*token;
	const char	*session, *service;
	int		 slot;		/* of a relay session, whose token it is */
	int		 ready;		/* who waits for tool_ready(); 0: nobody */
	int		 quiet;		/* say nothing: a shell completes */
	struct event_base *base;
	uint64_t	 sent, received;	/* by its connections, of bytes */
	int		 line;		/* one of progress.h is shown */
	int		 status;	/* to exit with */
	int		 ended;		/* it is set */
};

extern struct relay	relay;

/* A line on standard error. */
void	say(const char *, ...) __attribute__((format(printf, 1, 2)));
/* Take a line of progress.h away, before anything else is shown. */
void	say_clear(void);
/* The way is there, or (`why` not NULL) is not: says so, once. */
void	tool_ready(const char *why);
/* Leave the loop, with this status. */
void	tool_end(int status);

#endif
