/* SPDX-License-Identifier: ISC */
#ifndef CONFFILE_H
#define CONFFILE_H

/*
 * The lines of a configuration file: a word, a blank or `=`, a value. Pure.
 *
 *	# a comment
 *	url		wss://support.example.com/api/tunnel	# another
 *	exclude		"a value # with what is special, \" and \\"
 *	no-terminal
 */

#define CONFFILE_MAX	65536	/* bytes of a file */

struct conffile {
	char		*at;		/* where the next line begins */
	unsigned	 line;		/* number of the last one, from 1 */
};

/* `text` is changed by what follows, and must live as long. */
void	conffile_begin(struct conffile *, char *text);
/*
 * The next line that says something: 1 with *word and *value (in `text`; NULL:
 * a word alone), 0 at the end, -1 with *why, a constant text.
 */
int	conffile_next(struct conffile *, char **word, char **value,
	    const char **why);

#endif
