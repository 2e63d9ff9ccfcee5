/* SPDX-License-Identifier: ISC */
#ifndef STORE_INT_H
#define STORE_INT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Inside the SQLite back end: a prepared statement that is made at first use
 * and lives until the store closes.
 */
struct sqlite3_stmt;

struct query {
	const char		*sql;
	struct sqlite3_stmt	*stmt;
	struct query		*next;		/* prepared ones */
};
#define QUERY(text)	{ text, NULL, NULL }

/*
 * Bind in order: 't' const char * ("" becomes NULL), 'T' const char * as it is,
 * 'i' int64_t, 'n' int, 'j' const char * and size_t. db_write runs a statement
 * in the turn's transaction: 0, STORE_TAKEN, -1. db_read begins a question: 0
 * (a row is there), STORE_NONE, -1; after the last column, or on 0 only,
 * db_done() is due. db_step fetches the next row: 0, STORE_NONE or -1.
 */
int	 db_write(struct query *, const char *types, ...);
int	 db_read(struct query *, const char *types, ...);
int	 db_step(struct query *);
void	 db_done(struct query *);

/* End the turn's transaction: 0, or -1: nothing of it is in the store. */
int	 db_commit(void);

/* Column `i` of the row: a text ("" for NULL) cut to fit, a number (0). */
void	 db_text(struct query *, int i, char *dst, size_t size);
int64_t	 db_int(struct query *, int i);

#endif
