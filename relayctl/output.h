/* SPDX-License-Identifier: ISC */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdint.h>
#include <stdio.h>

/*
 * Rows of an answer, kept until the last has come, then printed as a table
 * with one header and aligned columns, or as JSON: an array of objects, one a
 * line, whose members are named by the first row.
 */
struct rows;

/*
 * For a screen of `width` columns: order, ages and sizes for people (not if
 * `exact`: then the order is all), ids cut to what tells them apart, columns
 * left out, reasons below their rows and texts cut until it fits. `now`:
 * seconds since 1970. An answer with a secret or a token stays as it is. fit.c
 */
void		 rows_fit(struct rows *, size_t width, int exact, int64_t now);
/* "35s", "in 3h", "12d"; "512B", "1.5M". */
void		 human_age(char *, size_t, int64_t seconds);
void		 human_bytes(char *, size_t, uint64_t);

struct rows	*rows_new(void);
void		 rows_free(struct rows *);	/* wipes: cells may be secrets */
/* Begin a row of `n` cells, then say each. 0, or -1 when out of memory. */
int		 rows_add(struct rows *, size_t n);
int		 rows_cell(struct rows *, const char *);

/* With the header. */
size_t		 rows_count(const struct rows *);
/* A cell by the name of its column; NULL. */
const char	*rows_get(const struct rows *, size_t row, const char *column);
/* The first cell of the last row; NULL: there is none but the header. */
const char	*rows_last(const struct rows *);

/* Cells go through printable_text(). `head`: with the header. */
void		 rows_table(const struct rows *, int head, FILE *);
/*
 * 0, or -1 when out of memory. What counts is a number, time is in seconds and
 * memory in bytes, and what is not there is null. An array may come in parts,
 * with *before objects in those that came; or each row is a line of its own.
 */
int		 rows_json(const struct rows *, unsigned long *before, FILE *);
void		 rows_json_end(unsigned long before, FILE *);
int		 rows_json_lines(const struct rows *, FILE *);
/* A refusal as an object, likewise. */
int		 refusal_json(unsigned code, const char *text, FILE *);

/*
 * Text that may have been written by a stranger, made harmless for a terminal:
 * control characters, broken UTF-8 and marks that turn the direction of text
 * become \xNN. Cuts what does not fit `size`. Returns the columns it takes on a
 * terminal: two for some characters, none for marks that stand on the last.
 */
size_t		 printable_text(char *dst, size_t size, const char *src);
/* The columns that it takes. */
size_t		 columns_of(const char *);

#endif
