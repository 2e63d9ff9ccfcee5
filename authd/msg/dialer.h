/* SPDX-License-Identifier: ISC */
#ifndef DIALER_H
#define DIALER_H

#include "authd/cred/issuer.h"

struct peer;

/*
 * Keys of identity providers, by dialerd: at the start, each ten minutes or so
 * (`oidc refresh`), after a failure again in a second and then each time later,
 * up to a minute, and when a token wants a key that we do not know, but for
 * that not more often than `oidc unknown key` says. Nobody waits for it.
 */
void	dialer_init(void);
/* The configuration has changed. */
void	dialer_reloaded(void);
/* dialerd is there, or has gone. */
void	dialer_came(struct peer *);
void	dialer_gone(struct peer *);
/*
 * A key of this issuer is missing. Is it being asked for now? Else it was asked
 * a moment ago, and will be again when it may be.
 */
int	dialer_want(unsigned place);

/* For people: each of them, in the order of the configuration. */
struct issuer_state {
	const struct issuer	*issuer;
	uint64_t		 next_ms;	/* until asked; 0: now */
	const char		*why;		/* why not, last; "": they came */
};
void	dialer_each(void (*fn)(void *, const struct issuer_state *), void *);

#endif
