/* SPDX-License-Identifier: ISC */
#ifndef CMD_H
#define CMD_H

#include <stdio.h>

#include "ctl/ctl.h"

/*
 * The commands of relayctl(8): those of common/ctl/ctl.def and relayctl's own.
 * Parsing, abbreviations, usage and completion are made from their patterns,
 * and a test compares them with the manual. Pure code.
 */

struct cmd {
	const char	*pattern;
	unsigned	 op;		/* enum ctl_op; 0: done by relayctl */
	const char	*help;
};

extern const struct cmd	cmds[];
extern const size_t	ncmds;

/* A command line, understood: op and words as ctl.def lists them. */
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

/* All commands, for a screen. */
void	cmd_usage(FILE *);

/*
 * What may follow the words before the last and begins with the last: one
 * candidate a line. Where an argument is due, `arg` is what it is called, else
 * "".
 */
#define CMD_ARG_SIZE	24
void	cmd_complete(int argc, char *const *argv, FILE *,
	    char arg[CMD_ARG_SIZE]);

#endif
