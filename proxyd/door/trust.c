/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "proc/trusted.h"
#include "proxyd/http/host.h"
#include "trust.h"

/* Parse one entry: blanks around it, maybe a port behind an IPv4 or [IPv6]. */
static int
entry_parse(struct addr *a, const char *s, size_t len)
{
	const char	*p;

	while (len > 0 && (*s == ' ' || *s == '\t')) {
		s++;
		len--;
	}
	while (len > 0 && (s[len - 1] == ' ' || s[len - 1] == '\t'))
		len--;
	if (addr_parse(a, s, len) == 0)
		return (0);
	if ((p = memrchr(s, ':', len)) == NULL)
		return (-1);
	if (s[0] != '[' && memchr(s, ':', len) != p)
		return (-1);
	return (addr_parse(a, s, (size_t)(p - s)));
}

/*
 * The right-most entry that is not trusted itself; when all are, the left-most.
 * 0, or -1 when there is none that parses.
 */
static int
addr_forwarded(struct addr *out, const struct httphead *h)
{
	const struct slice	*v;
	const char		*end, *p;
	size_t			 i;
	int			 found = -1;

	for (i = h->nfields; i-- > 0;) {
		if (!httphead_is(&h->field[i], "x-forwarded-for"))
			continue;
		v = &h->field[i].value;
		for (end = v->s + v->len;; end = p) {
			for (p = end; p > v->s && p[-1] != ','; p--)
				continue;
			if (entry_parse(out, p, (size_t)(end - p)) == -1)
				return (found);
			found = 0;
			if (!trusted_has(out))
				return (0);
			if (p == v->s)
				break;
			p--;	/* the comma */
		}
	}
	return (found);
}

void
trust_forwarded(struct addr *a, const struct httphead *h)
{
	(void)addr_forwarded(a, h);
}

/* Is this one name, and the only one? */
static int
names_one(const struct httphead *h, char name[HTTPHEAD_HOST_SIZE])
{
	const struct slice	*v = NULL;
	uint16_t		 port;
	size_t			 i;

	for (i = 0; i < h->nfields; i++)
		if (httphead_is(&h->field[i], "x-forwarded-host")) {
			if (v != NULL)
				return (0);
			v = &h->field[i].value;
		}
	return (v != NULL && httphead_split_host(v, name, &port) == 0);
}

int
trust_host(struct slice *host, int trusted, const struct httphead *h,
    const char *domain)
{
	char		name[HTTPHEAD_HOST_SIZE], said[HTTPHEAD_HOST_SIZE];
	uint16_t	port;

	*host = h->host;
	if (!trusted || domain[0] == '\0' ||
	    httphead_get(h, "x-forwarded-host") == NULL)
		return (0);
	if (!names_one(h, said))
		return (-1);
	if (h->host.s != NULL && host_is_under(&h->host, domain))
		return (httphead_split_host(&h->host, name, &port) == 0 &&
		    strcmp(name, said) == 0 ? 0 : -1);
	*host = *httphead_get(h, "x-forwarded-host");
	return (0);
}

int
trust_request(char dst[REQUEST_SIZE], const struct httphead *h)
{
	const struct slice	*v = httphead_get(h, "x-request-id");

	if (v == NULL || !request_is(v->s, v->len))
		return (0);
	memcpy(dst, v->s, v->len);
	dst[v->len] = '\0';
	return (1);
}
