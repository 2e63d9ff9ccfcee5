/* SPDX-License-Identifier: ISC */
#ifndef DOORS_H
#define DOORS_H

#include <stdint.h>

/* The proxyds, who get what comes out of TLS. */

#define REACHES_MAX	64	/* that one of them waits for */
#define REACHES_SHARE	4	/* to members, of one: a 4th of what we hold */

struct chan;
struct msg_plain;

struct door_ops {
	void	(*came)(void);		/* there is one more */
	/* One said so of what it has (PLAIN_END). 0, or -1: no such. */
	int	(*ended)(uint64_t door, uint64_t id, int clean);
	void	(*gone)(uint64_t door);
	/*
	 * One wants TLS to this member on `fd` (taken); to be answered by
	 * doors_reached() or doors_failed() with the id that it asked by.
	 */
	void	(*reach)(uint64_t door, uint32_t id, int fd,
		    const char *member);
};

/* Once. `ops` lives on. */
void	doors_init(const struct door_ops *ops);
/* A channel to one. Owns the fd. 0 or -1. */
int	doors_peer(int fd, uint64_t instance,
	    unsigned protocol);
/* Give `fd` (taken) to one after the other: its number, 0: there is none. */
uint64_t doors_give(int fd, const struct msg_plain *);
int	doors_has(void);
/* It runs, as number `id` here; `fd` (taken) is what it says in the clear. */
void	doors_reached(uint64_t door, uint32_t asked, int fd, uint64_t id);
/* The member there has said all. */
void	doors_ended(uint64_t door, uint64_t id);
/* It does not, which is counted. */
void	doors_failed(uint64_t door, uint32_t asked, const char *why);
/* So many more (or fewer) lead to members for that one: how many now. */
unsigned doors_out(uint64_t door, int by);
/* We leave: they are to ask others. */
void	doors_leave(void);
/* Is one there that leaves itself, and has nobody else to ask? */
int	doors_need_us(void);
/* Has it said something that has not been read? Is it still there? */
int	doors_hear(uint64_t door);

#endif
