/* SPDX-License-Identifier: ISC */
#ifndef NET_H
#define NET_H

#include <sys/types.h>
#include <sys/uio.h>
#include <openssl/ssl.h>
#include <stdint.h>

#include "base/target.h"

struct event_base;

/*
 * A connection, plain or TLS, behind the same few calls; and how one comes to
 * be: resolve, connect, TLS, each with its limit. SIGPIPE is ignored. A plain
 * one may be a terminal's descriptor as well.
 */

struct sock {
	int	 fd;		/* -1: none; non-blocking */
	SSL	*ssl;		/* NULL: plain */
	int	 want_write;	/* sock_read() waits for room in the fd */
	int	 eof;		/* our side is shut */
	int	 ahead;		/* sock_ahead() */
	int	 more;		/* the next sock_read() does not wait */
};

/*
 * As read(2) and writev(2) do, with TLS below if there is any: bytes, 0 at the
 * end of the peer's data, -1 with errno (EAGAIN: not now; EPROTO: TLS broke).
 * After EAGAIN from sock_writev() the next call must begin with the same bytes,
 * at least as many.
 */
ssize_t	sock_read(struct sock *, void *, size_t);
ssize_t	sock_writev(struct sock *, const struct iovec *, int);
/* As the latter, of one piece; 0: not now. */
ssize_t	sock_put(struct sock *, const void *, size_t);
/*
 * sock_read() would tell something, of what TLS has read from the fd already:
 * no event will.
 */
int	sock_pending(const struct sock *);
/*
 * TLS, behind its handshake: let each read of the fd take what is there, not
 * one piece of a record at a time. sock_read() then reads once where little is
 * there. Nothing where the kernel does TLS.
 */
void	sock_ahead(struct sock *);
/* We will write no more (TLS: close_notify). A second call does nothing. */
void	sock_shut(struct sock *);
/* Safe in any state. */
void	sock_close(struct sock *);
/* So that nothing of what was written, and has not arrived, arrives. */
void	sock_reset(struct sock *);

/*
 * Before all else here. TLS to the server is 1.2 and up, certificate and name
 * checked unless `insecure`; that to a proxy always; to services nothing is
 * checked. `ca_file` (borrowed for good; "" none) has the authorities to trust
 * instead of the system's. Names can be looked up after the first net_reload().
 */
void	net_init(struct event_base *, int insecure, const char *ca_file);
/*
 * Can `ca_file` be used, and is TLS there if it will be `needed`? 0, or -1 after
 * a line in the log.
 */
int	net_check(int needed);
void	net_clear(void);
/* Read resolv.conf and hosts anew. Ends what is still being resolved. */
void	net_reload(void);
struct event_base	*net_base(void);

/* A list of addresses from the resolver. */
#define NET_ADDRS	16
struct net_addr {
	int	family;
	uint8_t	addr[16];
};
struct lookup;
/*
 * Resolve a name or address. `fn` is called once, never before this returns:
 * `why` NULL and n >= 1, or the reason. NULL when out of memory, `fn` is not
 * called then.
 */
typedef void	(*lookup_fn)(void *, const struct net_addr *, size_t n,
		    const char *why);
struct lookup	*lookup_start(const char *host, lookup_fn, void *);
void	lookup_cancel(struct lookup *);

/*
 * Connect. `fn` is called once, never before dial_start() returns; the dial is
 * gone by then. `why` NULL: *c is the caller's; else a text for people.
 */
struct dial;
typedef void	(*dial_fn)(void *, struct sock *c, const char *why);
enum dial_tls {
	DIAL_PLAIN,
	DIAL_TLS_SERVER,	/* the tunnel's: checked */
	DIAL_TLS_PROXY,		/* checked */
	DIAL_TLS_SERVICE,	/* a target's: not checked */
	DIAL_TLS_SERVICE_OLD	/* the same, TLS 1.0 and 1.1 too */
};
struct dial_how {
	const char	*host;
	uint16_t	 port;
	int		 check;		/* target_check_addr() each address */
	int		 not_local;	/* nor one of target_addr_is_local() */
	enum dial_tls	 tls;
	const char	*name;		/* TLS: SNI, and what is checked */
};
#define DIAL_CONNECT_MS	10000	/* resolve and connect */
#define DIAL_TLS_MS	10000
/* NULL when out of memory; `fn` is not called then. Strings are copied. */
struct dial	*dial_start(const struct dial_how *, dial_fn, void *);
/*
 * The same over *c, which is connected through a proxy: TLS alone. It takes *c
 * over unless it returns NULL.
 */
struct dial	*dial_over(struct sock *c, const struct dial_how *, dial_fn,
		    void *);
void	dial_cancel(struct dial *);

/*
 * What can be done about `why`, which a dial has said of a certificate that was
 * refused; "" of all else. A constant text. Pure.
 */
const char	*net_advice(const char *why);

#endif
