/* SPDX-License-Identifier: ISC */
#ifndef PARAM_H
#define PARAM_H

#include <stdarg.h>

/*
 * The parameters of a statement as libpq takes them, copied. Never is a value
 * put into the text of a statement.
 */
#define PARAMS_MAX	32

struct params {
	int		 n;
	const char	*value[PARAMS_MAX];
	int		 length[PARAMS_MAX];
	int		 format[PARAMS_MAX];	/* 0 text, 1 bytes */
	unsigned	 type[PARAMS_MAX];	/* OIDs */
	char		*bytes;			/* that `value` points into */
	unsigned long	 size;
};

/* As db_write() has them (db.h). NULL: no memory, or a letter that is none. */
struct params	*params_new(const char *types, va_list);
/* The same, of arguments. */
struct params	*params_of(const char *types, ...);
/* They may be hashes of secrets: wiped. */
void		 params_free(struct params *);

#endif
