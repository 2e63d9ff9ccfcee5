/* SPDX-License-Identifier: ISC */
#ifndef TRIED_H
#define TRIED_H

#include <stddef.h>
#include <stdint.h>

struct addr;

#define TRIED_TEXT	"too many refused tokens"

/*
 * Who tries credentials that are refused, and of whom authd is asked all the
 * same: behind one address are many, and one of them with a token that has run
 * out must not shut out the others. doc/messages.md, section 5.
 *
 * For tokens and what else has 128 bits and more that nobody can guess: what is
 * shorter has limits of its own where it is judged. Nothing here knows whether
 * a credential is good; what is remembered of it is a keyed hash, in tables of
 * a fixed size, and decides no more than whether authd is asked. A wrong token
 * costs authd some 0.15 ms, of ES384 1.4 ms: a flood has some percent of it.
 */
#define TRIED_MAX	20	/* refused of an address, in */
#define TRIED_MS	60000	/* ... that time; above that: */
#define TRIED_ASK	10	/* questions of an address in a second, */
#define TRIED_ASK_ALL	50	/* of all such addresses; but always of what */
#define TRIED_GOOD_MS	600000	/* ... was good so lately, and not of what */
#define TRIED_BAD_MS	10000	/* ... was refused so lately */

/* A credential, and what it was shown for. "": nothing to be remembered. */
struct tried {
	char	key[33];
};

/* Once, before the loop. */
void		tried_init(void);

void		tried_make(struct tried *, const void *what, size_t len);
/*
 * May authd be asked? 0: yes, and it counts as asked; else it is 429, after so
 * many seconds.
 */
uint32_t	tried_wait(const struct addr *, const struct tried *);
/* authd has said yes to it. */
void		tried_good(const struct tried *);
/*
 * authd has refused it. 0: the address is told so; else it has had too many
 * refused, and it is 429, after so many seconds.
 */
uint32_t	tried_bad(const struct addr *, const struct tried *);
/* As tried_bad(), for one more who waited for that answer: counts nothing. */
uint32_t	tried_over(const struct addr *);

#endif
