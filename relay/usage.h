/* SPDX-License-Identifier: ISC */
#ifndef USAGE_H
#define USAGE_H

#include <stdio.h>

/*
 * What stands behind a command, as relay(1) has it: "[--url URL] [--wait]
 * SESSION". --help, the word about a wrong command line and the completion are
 * all made of it. Pure.
 */

/* "usage: relay name ..." or, if not `first`, its like below one; wrapped. */
void	usage_line(FILE *, int first, const char *name, const char *synopsis);

/*
 * The next option of a synopsis from *at on, with its dashes, in `option`; 1,
 * or 0 when there is no more. `value`: what it takes, "" nothing.
 */
int	usage_option(const char **at, char option[32], char value[64]);

#endif
