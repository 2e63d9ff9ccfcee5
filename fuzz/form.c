/* SPDX-License-Identifier: ISC */
/*
 * What a tlsd asks keyd to sign. The first two bytes are the scheme. What is
 * let through is one of two forms, from its first to its last byte, and of a
 * scheme that this form has.
 */
#include "keyd/form.h"
#include "fuzz.h"

static void
is_tls13(const uint8_t *p, size_t len)
{
	static const char	words[] = "TLS 1.3, server CertificateVerify";

	if ((len != 130 && len != 146) || p[0] != ' ' || p[63] != ' ' ||
	    memcmp(p + 64, words, sizeof(words)) != 0)
		abort();
}

static void
is_tls12(const uint8_t *p, size_t len)
{
	if (len < 68 + 32 || len > 68 + 97 || p[64] != 3 || p[67] != len - 68)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct form_scheme	*how;
	enum form			 form;
	uint16_t			 scheme;

	if (len < 2)
		return (0);
	scheme = (uint16_t)(data[0] << 8 | data[1]);
	form = form_of(data + 2, len - 2);
	how = form_scheme(scheme, form);
	if (form == FORM_TLS13)
		is_tls13(data + 2, len - 2);
	else if (form == FORM_TLS12)
		is_tls12(data + 2, len - 2);
	else if (how != NULL)
		abort();
	/* PKCS #1 v1.5 is not for TLS 1.3, and SHA-1 for nobody. */
	if (how != NULL && ((form == FORM_TLS13 && how->key == FORM_RSA &&
	    !how->pss) || strncmp(how->digest, "SHA", 3) != 0 ||
	    strcmp(how->digest, "SHA1") == 0))
		abort();
	return (0);
}
