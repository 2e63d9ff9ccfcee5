/* SPDX-License-Identifier: ISC */
#ifndef DOORS_H
#define DOORS_H

#include <stdint.h>

/* The proxyds, who get what comes out of TLS. */

struct chan;
struct msg_plain;

struct door_ops {
	void	(*came)(void);		/* there is one more */
	/* One said so of what it has (PLAIN_END). 0, or -1: no such. */
	int	(*ended)(uint64_t door, uint64_t id, int clean);
	void	(*gone)(uint64_t door);
};

/* Once. `ops` lives on. */
void	doors_init(const struct door_ops *ops);
/* A channel to one. Owns the fd. 0 or -1. */
int	doors_peer(int fd, uint64_t instance,
	    unsigned protocol);
/* Give `fd` (taken) to one after the other: its number, 0: there is none. */
uint64_t doors_give(int fd, const struct msg_plain *);
int	doors_has(void);
/* Has it said something that has not been read? Is it still there? */
int	doors_hear(uint64_t door);

#endif
