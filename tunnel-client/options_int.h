/* SPDX-License-Identifier: ISC */
#ifndef OPTIONS_INT_H
#define OPTIONS_INT_H

#include <stddef.h>
#include <stdio.h>

#include "client.h"

/*
 * The table of options (optionrows.c), for options.c, optionfile.c and
 * optionhelp.c; nobody else includes this.
 */

enum option_kind {
	STRING, SECRET, DURATION, FLAG,
	LIST,			/* as STRING; lines of a file are joined */
	PATH,			/* as STRING; a name of a file, or "none" */
	PROXY,			/* as STRING; the environment may say nonsense */
	FILE_FLAG,		/* --secret-file */
	CONFIG, ACTION		/* a STRING and a FLAG, in no file */
};

struct option_row {
	const char	*flag;
	const char	*env;			/* names, the first that is set */
	const char	*def;
	int		 letter;		/* 0: none */
	enum option_kind kind;
	size_t		 at;			/* member of struct options */
	const char	*help;
};

#define AT(m)		offsetof(struct options, m)
#define OPTIONS_MAX	64		/* rows */

extern const struct option_row	option_rows[];
extern const size_t		option_count;

int	option_is_text(const struct option_row *);
int	option_is_flag(const struct option_row *);
/*
 * Take a value; NULL for a flag is "true". `where` and the option's name begin
 * what is said on standard error when it is wrong. 0 or -1.
 */
int	option_take(struct options *, const struct option_row *,
	    const char *value, const char *where);
/*
 * What that does: a copy; a duration; true or false. 0 or -1, the last silent.
 */
int	option_string(struct options *, const struct option_row *,
	    const char *value);
int	option_duration(struct options *, const struct option_row *,
	    const char *value);
int	option_flag(struct options *, const struct option_row *,
	    const char *value);
/* A LIST grows. */
int	option_join(struct options *, const struct option_row *,
	    const char *value);

/*
 * optionfile.c: read the file of --config into *o, and mark the rows that it
 * has set. One that is not there is no fault, unless it was `asked` for. 0, or
 * -1 after a word on standard error.
 */
int	optionfile_read(struct options *, unsigned char *set, int asked);

/* optionhelp.c: usage and completion. */
/* How many words an order takes, itself too; 0: there is none of that name. */
int	optionhelp_command(const char *);
void	optionhelp_usage(FILE *);
/* What bash, zsh or fish needs; 1, or OPTIONS_USAGE for another shell. */
int	optionhelp_completion(const char *shell);

#endif
