/* SPDX-License-Identifier: ISC */
#ifndef STORECOPY_H
#define STORECOPY_H

#include <stddef.h>
#include <stdint.h>

/*
 * What is copied: each table of the store by the names of its columns, which
 * are the same in both engines. Types: 't' text, 'u' text that is a UUID there,
 * 'i' number, 'b' bytes.
 */
#define COLUMNS_MAX	26

struct table {
	const char	*name;
	const char	*types, *columns;	/* "id, name" */
	const char	*order;		/* in which rows are read */
	/* how a server writes a row; NULL: into relayd's table of the name */
	const char	*insert;
	/* how many rows a server has, where that is asked for otherwise */
	const char	*count;
};
extern const struct table	tables[];
extern const size_t		ntables;

/* What is made of others by triggers, or is an engine's own: not copied. */
int	is_derived(const char *name);

/* A value on its way; `s` NULL: none. A number is text, too. */
struct value {
	const char	*s;
	size_t		 len;
};

/* For a server; NULL: none. */
struct with {
	const char	*password, *ca;
};

/*
 * One end of a copy. What fails says why on standard error and ends the
 * program, and nothing is left behind: all that is written is one transaction,
 * which end_commit() ends.
 */
struct end {
	/* Open, to read or to write; a transaction begins. */
	void	(*open)(const char *where, const struct with *, int writes);
	int64_t	(*count)(const struct table *);
	/* calls back with each row */
	void	(*read)(const struct table *, void (*row)(const struct table *,
		    const struct value *));
	void	(*write)(const struct table *, const struct value *);
	/* all rows of a table have been said */
	void	(*written)(const struct table *);
	void	(*commit)(void);
};
extern const struct end	lite_end, server_end;

#define CANNOT_COPY	1	/* exit status */
void	fail(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2), noreturn));

#endif
