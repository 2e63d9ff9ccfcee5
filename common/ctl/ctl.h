/* SPDX-License-Identifier: ISC */
#ifndef COMMON_CTL_H
#define COMMON_CTL_H

#include "imsg/msg.h"

/* relayctl's requests, made from ctl.def. Pure. */

enum ctl_op {
	CTL_NONE,
#define C(NAME, word, pattern, words, answers, flags, help)	CTL_##NAME,
#include "ctl.def"
#undef C
	CTL_OP_COUNT
};

#define CTL_LOOKS	0x01	/* changes nothing: also on a read-only socket */
#define CTL_ALWAYS	0x02	/* also when the store is not there */
#define CTL_FOLLOWS	0x04	/* behind the last row, -f: again and again */
#define CTL_LONG	0x08	/* may take CTL_LONG_MS */
#define CTL_LONG_MS	600000
/* What was looked at is not in order: rows, and the reason. */
#define CTL_BROKEN	422
/* A text, in parts: the last word is where one begins; "" the first. */
#define CTL_PARTS	0x10
#define CTL_TEST	0x20	/* a test's hand: not a deed, not in the audit log */

struct ctl_info {
	const char	*word;		/* what audit events call it */
	const char	*pattern;
	unsigned	 words;		/* that travel */
	int		 role;		/* who answers: ROLE_AUTHD, ROLE_PARENT */
	int		 flags;		/* CTL_* */
	const char	*help;
};

/* What the list says; NULL when this build has no such request. */
const struct ctl_info	*ctl_info(unsigned op);
/* NULL, or why this cannot be asked: unknown, or a wrong number of words. */
const char	*ctl_check(unsigned op, unsigned words);
/* For the log: "system add", a pattern's own words; never NULL. */
const char	*ctl_name(unsigned op);

#endif
