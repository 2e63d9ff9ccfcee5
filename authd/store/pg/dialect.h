/* SPDX-License-Identifier: ISC */
#ifndef DIALECT_H
#define DIALECT_H

#include <stddef.h>

/*
 * A statement in SQLite's words as PostgreSQL says it: parameters ? and ?1 are
 * $1, and some words are others. What is a function there and not here is one
 * in etc/schema/postgresql.sql. Pure. 0; -1: it does not fit.
 */
int	dialect_pg(const char *sql, char *dst, size_t size);

#endif
