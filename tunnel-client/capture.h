/* SPDX-License-Identifier: ISC */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <stddef.h>

/*
 * Run a program and wait for it; only for a process that may wait (survey.c).
 * What it writes to standard output is on the heap and terminated, its standard
 * error is nobody's. NULL, and why: it could not be run, did not exit with 0,
 * said too much or took too long (then it is killed).
 */
char	*capture(char **argv, char **envp, size_t max, int limit_ms,
	    size_t *len, const char **why);

#endif
