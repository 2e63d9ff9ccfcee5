/* SPDX-License-Identifier: ISC */
#ifndef LEX_H
#define LEX_H

#include <stddef.h>
#include <stdint.h>

/*
 * The words of relayd.conf(5): files and macros stacked on each other, comments
 * and line continuation taken out, numbers, durations (30s) and sizes (5M)
 * read.
 */

#define LEX_WORD_MAX	1024	/* bytes of one word or string, NUL included */
#define LEX_DEPTH_MAX	8	/* files and macros inside each other */

struct lex;

typedef void (*lex_say_fn)(void *arg, const char *file, int line,
		    const char *text);

/* What a token carries. `string` is the receiver's to free. */
union lex_value {
	char		*string;
	uint64_t	 number;
};

/*
 * Errors of the lexer itself go to `error` with the position ready to print,
 * what is read but hardly meant to `warning`.
 * lex_new returns NULL when out of memory. What cfg_define() was given is known
 * from the start.
 */
struct lex	*lex_new(lex_say_fn error, lex_say_fn warning, void *arg);
void		 lex_free(struct lex *);

/*
 * Put a source on top. lex_push_text copies. 0, or -1 after an error was
 * reported. A file name that does not begin with "/" is looked up beside the
 * file that includes it.
 */
int		 lex_push_file(struct lex *, const char *path);
int		 lex_push_text(struct lex *, const char *name, const char *text,
		    size_t len);
/* Without this, lex_push_file() below the first source is an error. */
void		 lex_allow_include(struct lex *);

/* $name stands for `text` from now on. 0, or -1 when out of memory. */
int		 lex_define(struct lex *, const char *name, const char *text);

/* The first macro that nothing has used, and its line; NULL: none. */
const char	*lex_unused(struct lex *, int *line);

/*
 * The next token: a keyword or another token of parse.y, a character, 0 at the
 * end. The end of a file gives '\n' first. BADTOKEN: the error was reported.
 */
int		 lex_next(struct lex *, union lex_value *);

/* Of the last token: its text as written, its file and line. */
const char	*lex_text(const struct lex *);
const char	*lex_file(const struct lex *);
int		 lex_line(const struct lex *);

#endif
