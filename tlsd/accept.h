/* SPDX-License-Identifier: ISC */
#ifndef ACCEPT_H
#define ACCEPT_H

#include <stdint.h>

struct conf;

/* The listening sockets, in the order in which the certificates count them. */

/* A socket of the parent's (taken). 0, or -1: too many. */
int	accept_add(int fd, uint32_t flags);
/* Networks of proxies, whose addresses stand for many. 0, or -1 with *why. */
int	accept_judge(const struct conf *, const char **why);
void	accept_use(const struct conf *);
void	accept_run(void);
void	accept_stop(void);
/* No more for now (1), or again (0): descriptors have run out. */
void	accept_pause(int pause);

#endif
