/* SPDX-License-Identifier: ISC */
#ifndef COMPLETE_H
#define COMPLETE_H

#include <stdio.h>

#include "ctl/ctl.h"

struct rows;

/* What bash, zsh or fish needs to ask us. Pure code, all of this. */
const char	*complete_script(const char *shell);

/*
 * Of the words behind `relayctl`, the last of which is being typed: take the
 * options away that stand before it, and *socket from among them. Returns how
 * many words are left, 0: there is nothing to say.
 */
int	complete_options(int argc, char **argv, const char **socket);
/* The options that begin so, one a line: all, or those of top. */
void	complete_flags(int of_top, const char *begin, FILE *);

/* Where the live candidates of an argument are: a request, columns of it. */
#define COMPLETE_COLUMNS	2
struct complete_ids {
	const char	*arg;
	unsigned	 op;		/* enum ctl_op; with one word: the last */
	const char	*column[COMPLETE_COLUMNS];	/* NULL: none */
	const char	*also;		/* beside them; NULL: none */
};
/* NULL: that argument has none. */
const struct complete_ids	*complete_asks(const char *arg);
/* Those of the answer that begin so, one a line. */
void	complete_rows(const struct complete_ids *, const struct rows *,
	    const char *begin, FILE *);

#endif
