/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "hdr.h"
#include "service.h"

const struct service *
service_find(const struct service *services, size_t n, const char *label)
{
	size_t	i;

	for (i = 0; i < n; i++)
		if (strcmp(services[i].label, label) == 0)
			return (&services[i]);
	return (NULL);
}

const char *
service_scheme(const struct service *sv)
{
	return (sv->tls || sv->wants_https ? "https" : "http");
}

void
service_put_authority(struct out *o, const struct service *sv)
{
	const char	*a = sv->host[0] != '\0' ? sv->host : sv->target;
	const char	*suffix = sv->tls ? ":443" : ":80";
	size_t		 n = strlen(a), k = strlen(suffix);

	if (n > k && strcmp(a + n - k, suffix) == 0)
		n -= k;
	out_put(o, a, n);
}
