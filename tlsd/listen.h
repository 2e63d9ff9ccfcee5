/* SPDX-License-Identifier: ISC */
#ifndef LISTEN_H
#define LISTEN_H

#include <stdint.h>

struct conf;

/* The listening sockets, in the order in which the certificates count them. */

/* A socket of the parent's (taken). 0, or -1: too many. */
int	listen_add(int fd, uint32_t flags);
/* Networks of proxies, whose addresses stand for many. 0, or -1 with *why. */
int	listen_judge(const struct conf *, const char **why);
void	listen_use(const struct conf *);
void	listen_run(void);
void	listen_stop(void);
/* No more for now (1), or again (0): descriptors have run out. */
void	listen_pause(int pause);

#endif
