/* SPDX-License-Identifier: ISC */
#ifndef PROXYD_API_H
#define PROXYD_API_H

#include <stdint.h>

struct chan;
struct conn;
struct httphead;
struct imsg;
struct slice;

/* The operator API over HTTP: a request becomes one API message. */

void	api_begin(struct conn *, const struct httphead *);
/* The services of a session, asked for under a back end's grant. */
void	api_internal_services(struct conn *, const char *session, uint64_t grant);
/* The operator's token of a request: NULL, or why there is none: 401. */
const char	*api_bearer(const struct httphead *, struct slice *token);
/* The channel to authd has gone: what waits for its answer has 503. */
void	api_forget_all(void);
/* Is there one of which more is to come? */
int	api_is_waiting(void);
/* Handler of API_CHUNK. */
int	api_on_chunk(struct chan *, struct imsg *);

#endif
