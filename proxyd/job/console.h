/* SPDX-License-Identifier: ISC */
#ifndef CONSOLE_H
#define CONSOLE_H

struct conn;
struct httphead;

/*
 * The web console's files, as they were when this was built (console/): our
 * root is empty, there is nothing to read. Without them, a line that says so.
 */
void	console_begin(struct conn *, const struct httphead *);

#endif
