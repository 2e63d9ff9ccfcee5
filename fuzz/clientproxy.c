/* SPDX-License-Identifier: ISC */
/*
 * A proxy's address, and who is exempt from proxies: the first line of the
 * input is NO_PROXY, the second the host, the third the proxy.
 */
#include <stdio.h>
#include <string.h>

#include "net/proxy.h"
#include "fuzz.h"

static void
exempt(const char *list, const char *host)
{
	struct url	u = { .tls = 1 };
	char		all[4096];

	if (url_authority(&u, host, strlen(host)) != NULL)
		return;
	(void)proxy_bypassed(list, u.host, u.port);
	/* Whatever else is said, everybody is everybody. */
	if ((size_t)snprintf(all, sizeof(all), "%s,*", list) >= sizeof(all))
		return;
	if (proxy_bypassed(all, u.host, u.port) != 1)
		abort();
}

static void
address(const char *text)
{
	static struct proxy	x;

	if (proxy_parse(&x, text) != NULL)
		return;
	if (*x.at.host == '\0' || x.at.port == 0 ||
	    strpbrk(x.basic, " \r\n") != NULL ||
	    strpbrk(x.at.authority, " \r\n@") != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char	*text, *list, *host, *rest;

	if ((text = malloc(len + 1)) == NULL)
		return (0);
	memcpy(text, data, len);
	text[len] = '\0';
	rest = text;
	list = strsep(&rest, "\n");
	host = strsep(&rest, "\n");
	if (host != NULL)
		exempt(list, host);
	if (rest != NULL)
		address(rest);
	free(text);
	return (0);
}
