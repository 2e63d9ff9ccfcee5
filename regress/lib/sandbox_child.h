/* SPDX-License-Identifier: ISC */
#ifndef SANDBOX_CHILD_H
#define SANDBOX_CHILD_H

#include <netinet/in.h>

#include <stdint.h>

/*
 * A child of its own behind the sandbox of a role, in which one thing is tried:
 * with the filter of this build, or with that of production.
 */

#define KILLED	(-1)	/* what run() says of a child that the filter ended */

uint32_t	sandbox_apply_prod(int, const char *, uint64_t, uint64_t);
void		sandbox_ports_prod(const uint16_t *, size_t);
void		sandbox_sockets_prod(void);

/* What a child finds when it starts. */
struct fix {
	int			 pair[2];	/* packets */
	int			 listener, client, accepted, file, epoll;
	int			 recording;	/* to append to */
	struct sockaddr_in	 addr;		/* of the listener */
	char			 dir[64];
	uint64_t		 fsize;
	uint32_t		 layers;
	int			 dials;		/* to the listener's port */
	int			 sockets;	/* of this machine, too */
};
extern struct fix	fix;

typedef int	(*probe_fn)(void);	/* 0, or errno */

/* Make the directory; and take it away. */
void	sandbox_begin(void);
void	sandbox_end(void);
/* Run one probe behind the sandbox of `role`: its result, or KILLED. */
int	run(int role, int production, probe_fn fn);
/* errno of a system call that failed, 0 of one that did not. */
int	result(long r);
/* _exit() itself: a sanitizer does more than that, which is forbidden. */
void	leave(int status);

#endif
