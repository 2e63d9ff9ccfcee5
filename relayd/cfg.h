/* SPDX-License-Identifier: ISC */
#ifndef CFG_H
#define CFG_H

#include <stddef.h>
#include <stdio.h>

#include "proc/conf.h"

/*
 * relayd.conf(5): text in, struct conf out. Pure but for the opening of files,
 * which cfg_parse_text() does not do. The words are in relayd/lex.c, the
 * grammar is relayd/parse.y, the settings and their ranges common/proc/conf.h.
 */

#define CFG_FILE_MAX	(1 << 20)	/* bytes of one file */
#define CFG_ERRORS_MAX	100		/* reported, then parsing stops */

/*
 * Called for each error with "file:line: what", without a newline; and, with
 * `error` 0, for what is taken as it is but hardly meant: its text says that it
 * is a warning.
 */
typedef void (*cfg_error_fn)(void *arg, int error, const char *text);

/*
 * Parse a file and what it includes into `conf`, which is set to its defaults
 * first. Every error is reported, not only the first. Returns their number;
 * `conf` is good only with 0.
 */
int	cfg_parse_file(struct conf *conf, const char *path, cfg_error_fn,
	    void *arg);
/* The same for `len` bytes named `name`; `include` is an error there. */
int	cfg_parse_text(struct conf *conf, const char *name, const char *text,
	    size_t len, cfg_error_fn, void *arg);

/*
 * From now on $name stands for what follows in "name=text", whatever a file
 * says. `macro` has to stay. 0, or -1: that is no name, or there are too many.
 */
int	cfg_define(const char *macro);

/* Print every setting in the grammar; parsing that gives the same again. */
void	cfg_print(const struct conf *, FILE *);

#endif
