/* SPDX-License-Identifier: ISC */
/*
 * Cookies and the query's token. What is stripped holds none of ours, what is
 * set has no Domain; nothing grows beyond what the header says.
 */
#include <strings.h>

#include "proxyd/http/cookie.h"
#include "fuzz.h"

#define SLUG	"0f8b1c2d3e4f5061728394a5b6c7d8e9"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice	v = { (const char *)data, len }, token;
	struct slice	path = { "/", 1 };
	char		*out;
	size_t		 n;

	if (len > 16384)
		return (0);
	if ((out = malloc(len + COOKIE_SET_MORE + 1)) == NULL)
		return (0);
	n = cookie_strip(&v, out);
	if (n > len)
		abort();
	if (n > 0 && memmem(out, n, "support_proxy", 13) == out)
		abort();
	n = cookie_set(&v, 1, out);
	if (n > len + COOKIE_SET_MORE)
		abort();
	if (n > 0 && strncasecmp(out, "support_proxy", 13) == 0)
		abort();
	free(out);
	if (cookie_query_token(&v, SLUG, &token)) {
		if (token.s < v.s || token.s + token.len > v.s + v.len)
			abort();
		if ((out = malloc(len + 4)) == NULL)
			return (0);
		if (cookie_redirect(&path, &v, &token, out, len + 4) < 1)
			abort();
		free(out);
	}
	(void)cookie_token_is_for(&v, SLUG);
	return (0);
}
