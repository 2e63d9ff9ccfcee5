/* SPDX-License-Identifier: ISC */
#ifndef LIBRELAY_H
#define LIBRELAY_H

/*
 * One side of a relay session as a socket: what is written to it the other side
 * reads, and the other way round. librelay(3).
 *
 * The network, TLS and WebSocket are those of relay(1), which runs beside the
 * caller as a process of its own, as long as the socket is open.
 */

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct relay_options {
	const char	*url;		/* https://, or http:// on this machine */
	const char	*session;	/* its id; ID~3 is its channel 3 */
	const char	*token;		/* of one side */
	const char	*ca_file;	/* whom to trust; NULL: the system's */
	const char	*program;	/* relay(1); NULL: where it was installed */
	int		 timeout_ms;	/* for the way there; 0: 30 s */
	int		 allow_plain;	/* http:// to other machines, too */
};

/*
 * Join the session. Returns a stream socket, close-on-exec, which is the
 * caller's to close, or -1 with errno set: EINVAL something is missing,
 * ECONNREFUSED the relay said no, ETIMEDOUT, ENOENT there is no relay(1), or
 * what a system call has said. `why` (NULL: not wanted) gets a line for people,
 * "" if all is well.
 *
 * It returns when the relay has let this side in, whether the other is there or
 * not; what is written meanwhile is kept. The end of the other side is the
 * end of file. Nothing of `options` is needed afterwards.
 */
int	relay_open(const struct relay_options *options, char *why, size_t size);

#ifdef __cplusplus
}
#endif

#endif
