/* SPDX-License-Identifier: ISC */
#ifndef FORM_H
#define FORM_H

#include <stddef.h>
#include <stdint.h>

/*
 * What a key of a server has to sign in a handshake, and what it has not. Pure.
 */

enum form { FORM_NONE, FORM_TLS12, FORM_TLS13 };

/*
 * Which of the two that are signed is it? RFC 8446, 4.4.3: 64 spaces, the words
 * for a server's CertificateVerify, a NUL, a hash of 32 or 48 bytes. RFC 8422,
 * 5.4: two randoms of 32 bytes, a named curve and a point of it of the right
 * length. Neither can be taken for the other, nor for anything that a
 * certificate's key signs elsewhere: a client's proof, a certificate, a request
 * for one.
 */
enum form	form_of(const uint8_t *, size_t);

/* The kinds of keys that are used. */
enum form_key { FORM_RSA, FORM_EC };

/* How a SignatureScheme signs (RFC 8446, 4.2.3), if it is for this form. */
struct form_scheme {
	const char	*digest;	/* as OpenSSL calls it */
	enum form_key	 key;
	int		 pss;
};
/* NULL: not one that is used, or not there. */
const struct form_scheme *form_scheme(uint16_t, enum form);

#endif
