/* SPDX-License-Identifier: ISC */
#ifndef TLSD_REASON_H
#define TLSD_REASON_H

#include <openssl/ssl.h>

/*
 * Why a handshake of ours with another member failed, for people: its
 * certificate, or `why`, what OpenSSL or the system says (NULL: nothing). Good
 * until the next.
 */
const char	*tls_reason(const SSL *, const char *why);

#endif
