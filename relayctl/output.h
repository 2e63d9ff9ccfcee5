/* SPDX-License-Identifier: ISC */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdio.h>

/*
 * Rows of an answer, kept until the last has come, then printed as a table
 * with one header and aligned columns, or as JSON: an array of objects, one a
 * line, whose members are named by the first row.
 */
struct rows;

struct rows	*rows_new(void);
void		 rows_free(struct rows *);	/* wipes: cells may be secrets */
/* Begin a row of `n` cells, then say each. 0, or -1 when out of memory. */
int		 rows_add(struct rows *, size_t n);
int		 rows_cell(struct rows *, const char *);

/* Cells go through printable_text(). */
void		 rows_table(const struct rows *, FILE *);
/* 0, or -1 when out of memory. */
int		 rows_json(const struct rows *, FILE *);

/*
 * Text that may have been written by a stranger, made harmless for a terminal:
 * control characters, broken UTF-8 and marks that turn the direction of text
 * become \xNN. Cuts what does not fit `size`. Returns the columns it takes.
 */
size_t		 printable_text(char *dst, size_t size, const char *src);

#endif
