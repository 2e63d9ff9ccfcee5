/* SPDX-License-Identifier: ISC */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdint.h>

#include "imsg/imsg.h"
#include "imsg/msg.h"

/* Relayctl requests: pure code, see control.c for who asks. */

/* The version that a CTL begins with; the rest may be of another. */
uint32_t	 ctl_version(const struct imsg *);
/* NULL, or why this cannot be asked (unknown, or a wrong number of words). */
const char	*ctl_check(const struct msg_ctl *);
/* Does the parent answer that, not authd? */
int		 ctl_for_parent(unsigned op);
/* Does it change anything, or only look? */
int		 ctl_changes(unsigned op);
/* For the log: "system add"; never NULL. */
const char	*ctl_name(unsigned op);

#endif
