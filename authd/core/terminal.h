/* SPDX-License-Identifier: ISC */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "authd/cred/jwt.h"

struct peer;

/*
 * May a terminal be opened with this ticket? The origin is looked at before
 * the ticket is used up. 0 and the operator, or a status and *message.
 * operator-api.md, 6.2.
 */
int	term_check(const char *origin, const char *ticket, const char *session,
	    struct operator *, const char **message);
/* Its termd is there, with the admission: open the stream. */
void	term_started(struct peer *);

#endif
