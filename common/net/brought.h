/* SPDX-License-Identifier: ISC */
#ifndef NET_BROUGHT_H
#define NET_BROUGHT_H

#include <stdint.h>

#include "base/addr.h"

struct event_base;
struct proxyhead;

/*
 * Connections that a proxy in front brings (LISTEN_PROXY): before anything else
 * it has to say in a PROXY header (net/proxyhead.h) whose each is. The header
 * alone is read: what follows stays in the socket.
 */

/* Whose a connection is of which a tlsd has TLS (PLAIN); all zero: of none. */
struct plain {
	uint64_t	tlsd, id;
};

#define BROUGHT_MS	5000	/* from the connection to the whole header */
#define BROUGHT_MAX	1024	/* that wait for theirs at once */

struct brought_ops {
	/*
	 * One is whole (fd taken), of this client. The flags are those of the
	 * listener without LISTEN_PROXY, and with LISTEN_UNNAMED where nobody
	 * is named and the address is the proxy's.
	 */
	void	(*came)(int fd, unsigned n, uint32_t flags,
		    const struct addr *);
	/*
	 * To a listener with LISTEN_PEER, from there: a header with a vector of
	 * ours, for others to judge (fd taken). NULL: there are no such.
	 */
	void	(*peer)(int fd, const struct plain *, const struct addr *from,
		    const struct proxyhead *, const uint8_t *head,
		    size_t len);
	/* One is refused, and closed behind this. */
	void	(*refused)(const struct plain *);
	/* So many descriptors more are held, or fewer. */
	void	(*holds)(int);
};

/* Once, before the loop. `ops` lives on. */
void	brought_init(struct event_base *, const struct brought_ops *ops);
/*
 * One has come (fd taken) to the n-th listener, from there; `plain` NULL: no
 * tlsd has it.
 */
void	brought(int fd, unsigned n, uint32_t flags, const struct addr *from,
	    const struct plain *plain);
/* Close it, and say why: once for each source and reason in an hour. */
void	brought_refuse(int fd, const struct plain *plain,
	    const struct addr *from, const char *why);
/*
 * That one was refused in its TLS, say ("": in nothing), and why: as above; of
 * all together 60 lines in a minute.
 */
void	brought_note(const struct addr *from, const char *in,
	    const char *why);
/* How many wait for theirs? */
unsigned brought_n(void);
/* Close those that wait. */
void	brought_stop(void);

#endif
