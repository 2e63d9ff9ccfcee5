/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "form.h"

#define RANDOMS		64
#define NAMED_CURVE	3

static int
is_tls13(const uint8_t *p, size_t len)
{
	static const char	words[] = "TLS 1.3, server CertificateVerify";
	size_t			i, n = sizeof(words);	/* with its NUL */

	if (len != RANDOMS + n + 32 && len != RANDOMS + n + 48)
		return (0);
	for (i = 0; i < RANDOMS; i++)
		if (p[i] != ' ')
			return (0);
	return (memcmp(p + RANDOMS, words, n) == 0);
}

/* How long a point of that curve is; 0: not one that tlsd offers. */
static size_t
point_len(unsigned curve)
{
	switch (curve) {
	case 23:	/* secp256r1 */
		return (65);
	case 24:	/* secp384r1 */
		return (97);
	case 29:	/* x25519 */
		return (32);
	default:
		return (0);
	}
}

static int
is_tls12(const uint8_t *p, size_t len)
{
	size_t	n;

	if (len < RANDOMS + 4 || p[RANDOMS] != NAMED_CURVE)
		return (0);
	n = point_len((unsigned)p[RANDOMS + 1] << 8 | p[RANDOMS + 2]);
	return (n != 0 && p[RANDOMS + 3] == n && len == RANDOMS + 4 + n);
}

enum form
form_of(const uint8_t *p, size_t len)
{
	return (is_tls13(p, len) ? FORM_TLS13 : is_tls12(p, len) ? FORM_TLS12 :
	    FORM_NONE);
}

const struct form_scheme *
form_scheme(uint16_t scheme, enum form form)
{
	static const struct {
		uint16_t		number;
		int			old;	/* TLS 1.2 has it */
		int			new;	/* TLS 1.3 has it */
		struct form_scheme	how;
	} schemes[] = {
		{ 0x0403, 1, 1, { "SHA256", FORM_EC, 0 } },
		{ 0x0503, 1, 1, { "SHA384", FORM_EC, 0 } },
		{ 0x0804, 1, 1, { "SHA256", FORM_RSA, 1 } },
		{ 0x0805, 1, 1, { "SHA384", FORM_RSA, 1 } },
		{ 0x0806, 1, 1, { "SHA512", FORM_RSA, 1 } },
		{ 0x0401, 1, 0, { "SHA256", FORM_RSA, 0 } },
		{ 0x0501, 1, 0, { "SHA384", FORM_RSA, 0 } },
		{ 0x0601, 1, 0, { "SHA512", FORM_RSA, 0 } },
	};
	size_t	i;

	for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (schemes[i].number == scheme &&
		    ((form == FORM_TLS12 && schemes[i].old) ||
		    (form == FORM_TLS13 && schemes[i].new)))
			return (&schemes[i].how);
	return (NULL);
}
