/* SPDX-License-Identifier: ISC */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdint.h>

#include "imsg/imsg.h"
#include "imsg/msg.h"

/* A relayctl request, taken apart: pure code, see control.c for who asks. */
struct ctl {
	unsigned	op;		/* enum ctl_op, or what the client says */
	unsigned	nwords;
	char		words[CTL_ARGS_MAX][CTL_WORD_SIZE];
};

/* The version that a CTL begins with; the rest may be of another. */
uint32_t	 ctl_version(struct imsg *);
/* What follows the version: 0, or -1 when malformed. */
int		 ctl_parse(struct imsg *, struct ctl *);
/* NULL, or why this cannot be asked (unknown, or a wrong number of words). */
const char	*ctl_check(const struct ctl *);
/* Does the parent answer that, not authd? */
int		 ctl_for_parent(unsigned op);
/* Does it change anything, or only look? */
int		 ctl_changes(unsigned op);
/* For the log: "system add"; never NULL. */
const char	*ctl_name(unsigned op);

#endif
