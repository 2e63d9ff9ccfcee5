/* SPDX-License-Identifier: ISC */
#include <string.h>
#include <strings.h>

#include "hdr.h"
#include "service.h"

struct service *
service_find(const struct services *sv, const char *label)
{
	size_t	i;

	for (i = 0; i < sv->labelled; i++)
		if (strcmp(sv->v[i]->label, label) == 0)
			return (sv->v[i]);
	return (NULL);
}

int
service_has_label(const struct services *services, const struct service *sv)
{
	return (service_find(services, sv->label) == sv);
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

/* The same service in the tunnel of the node that it is on, or itself. */
static struct service *
at_its_node(const struct services *services, struct service *of,
    const struct slice *path)
{
	struct service	*sv;
	size_t		 i;

	if (of->node[0] == '\0' || of->at_home)
		return (of);
	for (i = 0; i < services->n; i++) {
		sv = services->v[i];
		if (sv->at_home && strcmp(sv->node, of->node) == 0 &&
		    strcmp(sv->name, of->name) == 0 &&
		    strcasecmp(sv->host, of->host) == 0 &&
		    claim(sv, path) == claim(of, path))
			return (sv);
	}
	return (of);
}

struct service *
service_for_path(const struct services *services, struct service *named,
    const struct slice *path)
{
	struct service	*sv, *best = named;
	size_t		 i, len, most = claim(named, path);

	if (named->host[0] == '\0')
		return (named);
	for (i = 0; i < services->n; i++) {
		sv = services->v[i];
		if (strcasecmp(sv->host, named->host) == 0 &&
		    (len = claim(sv, path)) > most) {
			best = sv;
			most = len;
		}
	}
	return (at_its_node(services, best, path));
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
