/* SPDX-License-Identifier: ISC */
#ifndef ACCEPT_H
#define ACCEPT_H

/*
 * Who comes to the listening sockets (net/listen.h), in the order in which the
 * certificates count them.
 */

/* Begin to accept. */
void	accept_run(void);

#endif
