/* SPDX-License-Identifier: ISC */
#ifndef KEYS_H
#define KEYS_H

#include <openssl/x509.h>

#include <stddef.h>
#include <stdint.h>

#include "imsg/msg.h"

/*
 * The private keys. What comes (CERT) is put aside until keys_use(); index 0
 * begins anew. Those in use before stay until the next time, for handshakes
 * that are under way.
 */

/* A file of the parent's (taken). 0, or -1: not what it may say. */
int	keys_take(int fd, const struct msg_cert *);
/* Would all that was put aside do? 0, or -1 with *why. */
int	keys_judge(const char **why);
/* The first chain that was put aside and is good, ours. */
STACK_OF(X509)	*keys_chain(void);
/* From now on. */
void	keys_use(void);
/* A line for each that has ended or ends soon, and when the first does. */
void	keys_look(void);

enum keys_said { KEYS_SIGNED, KEYS_UNKNOWN, KEYS_FORBIDDEN };
/*
 * Sign `tbs`, if it is a handshake's. KEYS_FORBIDDEN: no honest tlsd asks for
 * that. `sig` has TLS_SIG_MAX bytes.
 */
enum keys_said	keys_sign(const struct msg_sign *, uint8_t *sig, size_t *len);

#endif
