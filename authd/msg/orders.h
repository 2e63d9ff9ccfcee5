/* SPDX-License-Identifier: ISC */
#ifndef ORDERS_H
#define ORDERS_H

struct said_command;

/*
 * A command that came by Redis, signed: done as if an operator had called the
 * API, under the back end's name. One for a session that is not ours is
 * somebody else's. operator-api.md, 9.1.
 */
void	orders_run(const struct said_command *);

#endif
