/* SPDX-License-Identifier: ISC */
#ifndef AUTHD_H
#define AUTHD_H

#include "imsg/call.h"
#include "proc/link.h"

/* What is asked of authd on the link, and what is lost with it. */

#define AUTHD_CALL_MS	2000	/* ADMIT, GRANT, STREAM_OPEN: messages.md */
#define AUTHD_API_MS	10000
#define AUTHD_CLIENT_MS	35000	/* where a customer's client is asked */

/* Before proc_main(): what authd may say, and what is forgotten with it. */
void		 link_to_authd(void);

/* Is it there, and can it let anybody in? */
int	authd_is_usable(void);
/* It is there, and relayd takes nothing new. */
int	authd_drains(void);
/* Sessions of pairing that there are. */
unsigned	authd_pairings(void);

#endif
