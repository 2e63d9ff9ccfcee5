/* SPDX-License-Identifier: ISC */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/compat.h"
#include "base/target.h"
#include "url.h"

#define PARAMS_MAX	256

/* A parameter of a query; both point into a decoded copy. */
struct param {
	const char	*name, *value;
	size_t		 place;		/* sorting is to be stable */
};

static int		 param_cmp(const void *, const void *);
static size_t		 encode(char *, size_t, const char *);

const char *
url_parse(struct url *u, const char *s)
{
	const char	*p, *why;
	size_t		 len, scheme;

	memset(u, 0, sizeof(*u));
	for (p = s; *p != '\0'; p++)
		if (!isgraph((unsigned char)*p))
			return ("has blanks or control characters");
	if ((size_t)(p - s) >= URL_MAX)
		return ("too long");
	if (strncasecmp(s, "wss://", scheme = 6) == 0 ||
	    strncasecmp(s, "https://", scheme = 8) == 0)
		u->tls = 1;
	else if (strncasecmp(s, "ws://", scheme = 5) != 0)
		return ("wss:// expected, or ws:// without TLS");
	s += scheme;
	len = strcspn(s, "/?#");
	if ((why = url_authority(u, s, len)) != NULL)
		return (why);
	s += len;
	len = strcspn(s, "?#");
	snprintf(u->path, sizeof(u->path), "%s%.*s", *s == '/' ? "" : "/",
	    (int)len, s);
	s += len;
	if (*s == '?')
		snprintf(u->query, sizeof(u->query), "%.*s",
		    (int)strcspn(s + 1, "#"), s + 1);
	return (NULL);
}

const char *
url_authority(struct url *u, const char *s, size_t len)
{
	const char	*end = s + len, *host = s, *host_end, *port, *err;

	if (len == 0)
		return ("no host");
	if (memchr(s, '@', len) != NULL)
		return ("user and password do not belong here");
	if (len >= sizeof(u->authority))
		return ("host is too long");
	memcpy(u->authority, s, len);
	if (*s == '[') {
		host++;
		if ((host_end = memchr(s, ']', len)) == NULL)
			return ("no ']'");
		port = host_end + 1;
		if (port < end && *port != ':')
			return ("bad host");
	} else {
		host_end = port = memchr(s, ':', len);
		if (port == NULL)
			host_end = port = end;
	}
	if (host == host_end || (size_t)(host_end - host) >= sizeof(u->host))
		return ("no host");
	memcpy(u->host, host, (size_t)(host_end - host));
	u->port = u->tls ? 443 : 80;
	if (port == end)
		return (NULL);
	u->port = (uint16_t)strtonum(u->authority + (port + 1 - s), 1, 65535,
	    &err);
	return (err == NULL ? NULL : "bad port");
}

int
url_is_here(const struct url *u)
{
	struct target	t;
	char		text[URL_HOST_SIZE + 8];

	snprintf(text, sizeof(text), strchr(u->host, ':') != NULL ? "[%s]:1" :
	    "%s:1", u->host);
	return (target_parse(text, &t) != TARGET_E_FORM &&
	    target_is_loopback(&t));
}

int
url_unescape(char *s, int form)
{
	char	*out = s, hex[3] = { 0 };

	for (; *s != '\0'; s++) {
		if (*s != '%') {
			*out++ = form && *s == '+' ? ' ' : *s;
			continue;
		}
		if (!isxdigit((unsigned char)s[1]) ||
		    !isxdigit((unsigned char)s[2]))
			return (-1);
		hex[0] = s[1];
		hex[1] = s[2];
		if ((*out++ = (char)strtol(hex, NULL, 16)) == '\0')
			return (-1);
		s += 2;
	}
	*out = '\0';
	return (0);
}

/* Split a copy of the query; what does not decode is left out. */
static size_t
params_split(char *query, struct param *v, size_t n)
{
	char	*piece, *eq;

	while ((piece = strsep(&query, "&")) != NULL && n < PARAMS_MAX) {
		if (*piece == '\0' || strchr(piece, ';') != NULL)
			continue;
		if ((eq = strchr(piece, '=')) != NULL)
			*eq++ = '\0';
		if (url_unescape(piece, 1) == -1 ||
		    (eq != NULL && url_unescape(eq, 1) == -1))
			continue;
		v[n].name = piece;
		v[n].value = eq == NULL ? "" : eq;
		v[n].place = n;
		n++;
	}
	return (n);
}

static int
param_cmp(const void *a, const void *b)
{
	const struct param	*x = a, *y = b;
	int			 c = strcmp(x->name, y->name);

	if (c != 0)
		return (c);
	return (x->place < y->place ? -1 : x->place > y->place);
}

/* Append, encoded as in a form; returns the length, which may exceed size. */
static size_t
encode(char *out, size_t size, const char *s)
{
	static const char	hex[] = "0123456789ABCDEF";
	size_t			n = 0;
	unsigned char		c;

	for (; (c = (unsigned char)*s) != '\0'; s++) {
		if (n + 4 > size)
			return (size);
		if (isalnum(c) || strchr("-_.~", c) != NULL) {
			out[n++] = (char)c;
		} else if (c == ' ') {
			out[n++] = '+';
		} else {
			out[n++] = '%';
			out[n++] = hex[c >> 4];
			out[n++] = hex[c & 15];
		}
	}
	out[n] = '\0';
	return (n);
}

int
url_target(const struct url *u, const char *node, const char *token, char *out,
    size_t size)
{
	struct param	v[PARAMS_MAX + 2];
	char		query[URL_MAX];
	size_t		n = 0, i, len, first = 1;

	if (node == NULL)
		node = "";
	if (token == NULL)
		token = "";
	if (*node == '\0' && *token == '\0')
		return ((size_t)snprintf(out, size, "%s%s%s", u->path,
		    *u->query == '\0' ? "" : "?", u->query) >= size ? -1 : 0);
	if (*node != '\0')
		v[n++] = (struct param){ "node_id", node, 0 };
	if (*token != '\0')
		v[n++] = (struct param){ "reconnect_token", token, 1 };
	strlcpy(query, u->query, sizeof(query));
	n = params_split(query, v, n);
	qsort(v, n, sizeof(*v), param_cmp);
	if ((len = strlcpy(out, u->path, size)) >= size)
		return (-1);
	for (i = 0; i < n; i++) {
		if ((*node != '\0' && v[i].value != node &&
		    strcmp(v[i].name, "node_id") == 0) ||
		    (*token != '\0' && v[i].value != token &&
		    strcmp(v[i].name, "reconnect_token") == 0))
			continue;
		if (len + 2 >= size)
			return (-1);
		out[len++] = first ? '?' : '&';
		first = 0;
		len += encode(out + len, size - len, v[i].name);
		if (len + 2 >= size)
			return (-1);
		out[len++] = '=';
		len += encode(out + len, size - len, v[i].value);
		if (len + 2 >= size)
			return (-1);
	}
	return (0);
}
