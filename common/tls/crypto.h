/* SPDX-License-Identifier: ISC */
#ifndef CRYPTO_H
#define CRYPTO_H

/*
 * libcrypto's start. As it loads itself it uses what there was no memory for (3.0
 * locks a lock of a context that was not made), or says that all is well and has a
 * part of its algorithms for good. Between these two the process ends where it gets
 * none, with a line in the log; what comes later is refused alone.
 */

/* Before anything else of libcrypto or libssl is called, with the log open. */
void	crypto_begin(void);
/* Loaded is what is needed. */
void	crypto_begun(void);
/*
 * Has it been refused memory since this was last asked? Then what it says of what
 * it was given (a broken certificate, another name) may be not so, and what it has
 * made may lack a part.
 */
int	crypto_lacked(void);

#endif
