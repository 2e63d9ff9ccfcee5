/* SPDX-License-Identifier: ISC */
#ifndef API_CALL_H
#define API_CALL_H

#include <cjson/cJSON.h>

#include "http/head.h"
#include "net/net.h"

#define API_WHY_SIZE	512
#define API_MS		30000	/* as struct api_ask has it, for most */

/*
 * One call of relayd's API: the envelope that comes back, or a connection that
 * is upgraded. operator-api.md, 1.2.
 */
struct api_call;

/* What is asked; all of it is copied. */
struct api_ask {
	int		 method;	/* enum llhttp_method */
	const char	*path;		/* behind /api; */
	int		 bare;		/* or behind nothing */
	const char	*body;		/* JSON; NULL: none */
	const char	*fields;	/* more of the head; NULL: the token */
	const char	*type;		/* of the body; NULL: JSON */
	const struct url *at;		/* another server; NULL: relay.url */
	struct sock	*over;		/* is taken; NULL: one is dialed */
	uint64_t	 ms;		/* for the whole, from the dialing on */
};

/* Borrowed. */
struct api_answer {
	int		 status;	/* 0: no way to the server, see why */
	const char	*why;		/* for people */
	const char	*asked;		/* method and path, without a query */
	const cJSON	*doc;		/* NULL: no JSON */
	const char	*body;		/* as it came; NULL: none */
	size_t		 len;
	const struct httphead *head;	/* of a 101 alone */
	const char	*rest;		/* what came behind that */
	size_t		 rest_len;
	/* May be used again, by who takes it and sets its fd to -1. */
	struct sock	*sock;
};

/* Called once, later than api_start() returns; the call ends with it. */
typedef void	(*api_fn)(void *, const struct api_answer *);

/* NULL: no memory, or it does not fit; `over` is not taken then. */
struct api_call	*api_start(const struct api_ask *, api_fn, void *);
void		 api_cancel(struct api_call *);

/* The member of an object as text, "" if it has none. The document keeps it. */
const char	*api_text(const cJSON *, const char *name);
/*
 * A refusal for people: the status, what the server says of it, and, where it
 * is known, what it means and what to do.
 */
void		 api_refusal(char why[API_WHY_SIZE], const struct api_answer *);

#endif
