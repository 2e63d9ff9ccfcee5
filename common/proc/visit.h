/* SPDX-License-Identifier: ISC */
#ifndef VISIT_H
#define VISIT_H

#include <stddef.h>
#include <stdint.h>

#include "proc/roles.h"

/*
 * A process that is there for one operator's WebSocket and one stream (roles
 * with RF_STREAM): from the connection, which the parent gives, and authd's
 * word on it, whichever comes first, to its end. What goes on between the two
 * is the program's, which calls visit_ended() and visit_exit().
 *
 * Such a process hears from the parent (GIVE once, or again; STOP) and from
 * authd (TERM_STREAM or TERM_REFUSE once, then CLOSE; TERM_OVER to who wants
 * it). Its states: empty until the connection is here, waiting until authd has
 * said yes, open; a message in another state ends its sender. messages.md,
 * sections 1 and 4.
 */

struct visit_ops {
	enum role	 role;
	enum conn_class	 class;
	const char	*word;		/* what it is, for texts */
	/*
	 * The operator's connection (taken) with the bytes already read of it,
	 * and the accept value. 0, or -1: no valid upgrade, it is answered.
	 */
	int	(*operator)(int fd, const char *accept, const uint8_t *,
		    size_t len);
	/*
	 * Another connection for what is open (taken): authd has let it in to
	 * this process. NULL: there can be none.
	 */
	void	(*again)(int fd, const char *accept, const uint8_t *,
		    size_t len);
	/* The stream's end (taken): answer 101 and start. After operator(). */
	void	(*stream)(int fd, uint32_t idle_s);
	/* In place of 101. After operator(). */
	void	(*refuse)(int status, const char *message);
	/* It has started, and ends: WebSocket code, END_*, why. */
	void	(*close)(uint16_t code, unsigned reason, const char *why);
	void	(*counters)(uint64_t *in, uint64_t *out);
	/*
	 * A file (taken), which so many bytes may be added to, and which what
	 * is seen goes to; NULL: no such thing is recorded.
	 */
	void	(*record)(int fd, uint64_t room);
	/* The tunnel's last word on the stream, an END_*; NULL: not said. */
	void	(*over)(unsigned why);
};

/* The program: what main() calls. `ops` lives on. */
void	visit_main(const struct visit_ops *, int argc, char **argv)
	    __attribute__((noreturn));

/*
 * In place of 101: an HTTP answer with the request's id, and nothing behind it.
 * One that does not fit the socket at once is lost.
 */
void	visit_refuse(int fd, int status, const char *message);
/* An existing back end asks, which reads {"error": why}: operator-api.md, 9. */
void	visit_bare(void);
/* The stream's number; 0: not yet. */
uint64_t visit_stream(void);
/* Is its operator there? For authd, where what is open can wait for him. */
void	visit_here(int here);
/* It has ended, or was refused: for log and audit, once. */
void	visit_ended(unsigned reason, const char *text);
/* All is said to the operator. */
void	visit_exit(void) __attribute__((noreturn));

#endif
