/* SPDX-License-Identifier: ISC */
#ifndef SIGN_H
#define SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "imsg/call.h"
#include "imsg/msg.h"

/*
 * What keyd is asked. OpenSSL asks from inside of a handshake, which stands
 * still until the answer is there: it runs as a job with a stack of its own
 * (ASYNC_start_job(3)) and is continued by the next SSL_do_handshake().
 */

enum sign_state { SIGN_NONE, SIGN_WAITS, SIGN_DONE, SIGN_FAILED };

struct sign {
	struct call	 call;
	enum sign_state	 state;
	uint64_t	 since_ns;
	uint8_t		 sig[TLS_SIG_MAX];
	size_t		 len;
	void		(*ready)(void *);	/* answered: go on */
	void		*arg;
};

/* The channel to keyd, which is the newest. Owns the fd. 0 or -1. */
int	sign_peer(int fd, uint64_t instance,
	    unsigned protocol);
/* Whose handshake runs now; NULL: nobody's. */
void	sign_for(struct sign *);
struct sign *sign_now(void);
/* Ask: 0, or -1: cannot be asked, and the handshake fails. */
int	sign_ask(struct sign *, const struct msg_sign *);
/* The handshake is given up: it is answered with no. */
void	sign_cancel(struct sign *);

#endif
