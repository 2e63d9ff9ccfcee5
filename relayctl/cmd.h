/* SPDX-License-Identifier: ISC */
#ifndef CMD_H
#define CMD_H

#include <stdio.h>

#include "imsg/msg.h"

/*
 * The commands of relayctl(8). One table of patterns says what they are;
 * parsing, abbreviations, usage and completion are made from it, and a test
 * compares it with the manual. In a pattern <x> is an argument, [word <x>] may
 * be left out, [word <x>]... may come several times. Pure code.
 */

struct cmd {
	const char	*pattern;
	unsigned	 op;		/* enum ctl_op; 0: done by relayctl */
	const char	*help;
};

extern const struct cmd	cmds[];
extern const size_t	ncmds;

/* A command line, understood: op and words as common/imsg/msg.h lists them. */
struct cmd_line {
	unsigned	op;
	unsigned	nwords;
	char		words[CTL_ARGS_MAX][CTL_WORD_SIZE];
};

/*
 * Understand `argv`: words may be cut short while they stay unique. Returns 0,
 * or -1 with what is wrong and what was expected in `err`.
 */
int	cmd_parse(int argc, char *const *argv, struct cmd_line *, char *err,
	    size_t err_size);

/* All commands, one line each. */
void	cmd_usage(FILE *);

/*
 * What may follow the words before the last and begins with the last: one
 * candidate a line. Arguments have none.
 */
void	cmd_complete(int argc, char *const *argv, FILE *);

#endif
