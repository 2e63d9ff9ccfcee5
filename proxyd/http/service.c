/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

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

int
service_path_fits(const struct slice *path, const char *seg, size_t len)
{
	return (path->len >= len && memcmp(path->s, seg, len) == 0 &&
	    (path->len == len || path->s[len] == '/'));
}

size_t
service_path_len(const char *seg)
{
	size_t	n = strlen(seg);

	while (n > 0 && seg[n - 1] == '/')
		n--;
	return (n);
}

/* How much of the path is its own; 0: it has no say. */
static size_t
claim(const struct service *sv, const struct slice *path)
{
	const char	*seg = sv->path_prefix;
	size_t		 n = service_path_len(seg);

	if (n == 0)
		n = service_path_len(seg = sv->path);
	return (n > 0 && service_path_fits(path, seg, n) ? n : 0);
}

const struct service *
service_for_path(const struct service *services, size_t n,
    const struct service *named, const struct slice *path)
{
	const struct service	*sv, *best = named;
	size_t			 len, most = claim(named, path);

	if (named->host[0] == '\0')
		return (named);
	for (sv = services; sv < services + n; sv++)
		if (strcasecmp(sv->host, named->host) == 0 &&
		    (len = claim(sv, path)) > most) {
			best = sv;
			most = len;
		}
	return (best);
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
