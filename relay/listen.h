/* SPDX-License-Identifier: ISC */
#ifndef LISTEN_H
#define LISTEN_H

/*
 * Listen on host:port, [host]:port or port, which is on 127.0.0.1, or on a
 * socket that is this user's alone, by its path, and make a connection to the
 * service for each that comes. 0, or -1 after a line on standard error.
 */
int	listen_start(const char *where);

#endif
