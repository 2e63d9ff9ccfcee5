/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_H
#define AUTHD_H

#include <stdint.h>

struct chan;

/* The channel to authd, and what is lost with it. */

#define AUTHD_CALL_MS	2000	/* ADMIT, GRANT, STREAM_OPEN: messages.md */
#define AUTHD_API_MS	10000

/* A new channel (fd is taken); what the old one gave is forgotten. 0 or -1. */
int		 authd_channel(int fd);
/* NULL when there is none just now: answer 503. */
struct chan	*authd_chan(void);
/* Forget a call that waits, if any; clears the id. */
void		 authd_forget(uint32_t *call);

#endif
