/* SPDX-License-Identifier: ISC */
#ifndef REFUSED_H
#define REFUSED_H

#include "proc/alone.h"

struct conn;

/*
 * Refusals that authd was not asked about, for the audit log: counted here,
 * told once a second. Those of an address for one reason are one message; when
 * there is no place left for another address its refusals count for all such.
 * Costs the requests that are refused a look through REFUSED_PLACES places, and
 * others nothing. Before the answer: then the address is still there.
 */
#define REFUSED_PLACES	64

void	refused(const struct conn *, enum alone why);
/* Tell now what is counted: we stop. */
void	refused_tell(void);

#endif
