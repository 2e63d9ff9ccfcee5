/* SPDX-License-Identifier: ISC */
#ifndef RENDEZVOUS_H
#define RENDEZVOUS_H

#include <stddef.h>

#include "http/head.h"

struct chan;
struct conn;
struct imsg;

/*
 * Rendezvous, all but its data: admin API, discovery, health, and what both
 * share with /relay/ (give.c). rendezvous-protocol.md, sections 1, 2, 5 and 8.
 */
void	rendezvous_begin(struct conn *, const struct httphead *);

/*
 * Room for what CORS adds to an answer: an Origin, and the fields it asks for.
 */
#define CORS_MAX	2048
/*
 * The fields for this request, "" without any pattern; 0, or 1: it is a
 * preflight, which they answer.
 */
int	cors_fields(const struct httphead *, char dst[CORS_MAX]);
/* Is the upgrade's Origin one of ours, or `host` itself? */
int	origin_fits(const struct httphead *, const struct slice *host);
/* A plain error; `extra` is NULL or whole lines, before those of CORS. */
void	rendezvous_error(struct conn *, const char *cors, int status,
	    const char *text, const char *extra);
/* The same with Retry-After. */
void	rendezvous_later(struct conn *, const char *cors, int status,
	    const char *text, unsigned retry_s);

/* A chunk of an answer: 1 it was one of ours, 0 not, -1 it is wrong. */
int	rendezvous_chunk(struct imsg *);
/* The channel has gone. */
void	rendezvous_forget_all(void);
/* Is there one of which more is to come? */
int	rendezvous_is_waiting(void);

#endif
