/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "label.h"

#define ALIAS_TEXT	20	/* characters of the name in an alias */
#define ALIAS_HASH	4	/* bytes of its hash */

static int
is_alnum(char c)
{
	return ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
}

int
label_is_safe(const char *s, size_t len)
{
	size_t	i;

	if (len == 0 || len >= LABEL_DNS_SIZE || !is_alnum(s[0]) ||
	    !is_alnum(s[len - 1]))
		return (0);
	for (i = 0; i < len; i++) {
		if (!is_alnum(s[i]) && s[i] != '_' && s[i] != '-')
			return (0);
		if (s[i] == '-' && s[i - 1] == '-')
			return (0);
	}
	return (1);
}

void
label_of_service(const char *name, char out[LABEL_DNS_SIZE])
{
	unsigned char	 hash[crypto_hash_sha256_BYTES];
	size_t		 n = 0, len = strlen(name);
	const char	*p;
	char		 c;

	if (label_is_safe(name, len)) {
		memcpy(out, name, len + 1);
		return;
	}
	for (p = name; *p != '\0' && n < ALIAS_TEXT; p++) {
		c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
		if (is_alnum(c))
			out[n++] = c;
		else if (n > 0 && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	if (n == 0)
		out[n++] = 's';
	out[n++] = '-';
	crypto_hash_sha256(hash, (const unsigned char *)name, len);
	sodium_bin2hex(out + n, LABEL_DNS_SIZE - n, hash, ALIAS_HASH);
}
