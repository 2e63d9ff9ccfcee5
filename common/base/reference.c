/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "reference.h"

#define BYTES	(4 + 6 + REFERENCE_SECRET)
#define B64	sodium_base64_VARIANT_URLSAFE_NO_PADDING

int
reference_session(const char *id, uint8_t session[6])
{
	char	hex[12];
	size_t	n, len;

	for (n = 0; n < sizeof(hex) && *id != '\0'; id++)
		if (*id != '-')
			hex[n++] = *id;
	return (sodium_hex2bin(session, 6, hex, n, NULL, &len, NULL) == 0 &&
	    len == 6 ? 0 : -1);
}

void
reference_write(const struct reference *r, char out[REFERENCE_SIZE])
{
	uint8_t	b[BYTES];

	b[0] = (uint8_t)(r->expires >> 24);
	b[1] = (uint8_t)(r->expires >> 16);
	b[2] = (uint8_t)(r->expires >> 8);
	b[3] = (uint8_t)r->expires;
	memcpy(b + 4, r->session, sizeof(r->session));
	memcpy(b + 10, r->secret, sizeof(r->secret));
	out[0] = 'r';
	sodium_bin2base64(out + 1, REFERENCE_SIZE - 1, b, sizeof(b), B64);
	sodium_memzero(b, sizeof(b));
}

int
reference_read(const char *s, size_t len, struct reference *r)
{
	const char	*end;
	uint8_t		 b[BYTES];
	size_t		 n;

	if (len != REFERENCE_SIZE - 1 || s[0] != 'r' ||
	    sodium_base642bin(b, sizeof(b), s + 1, len - 1, NULL, &n, &end,
	    B64) != 0 || n != sizeof(b) || end != s + len)
		return (-1);
	r->expires = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	    (uint32_t)b[2] << 8 | b[3];
	memcpy(r->session, b + 4, sizeof(r->session));
	memcpy(r->secret, b + 10, sizeof(r->secret));
	sodium_memzero(b, sizeof(b));
	return (0);
}
