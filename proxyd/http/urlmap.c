/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "urlmap.h"

/* An absolute URL, or what begins with the authority alone. */
struct url {
	struct slice	scheme;		/* with its slashes, or empty */
	int		secure;		/* -1: the scheme does not say */
	char		name[HTTPHEAD_HOST_SIZE];
	uint16_t	port;		/* 0: none given */
	struct slice	rest;
};

static const struct scheme {
	const char	*name;
	size_t		 len;
	int		 secure;
} schemes[] = {
	{ "https:", 6, 1 },
	{ "http:", 5, 0 },
	{ "wss:", 4, 1 },
	{ "ws:", 3, 0 },
	{ "", 0, -1 },
};

/* To a browser either is (WHATWG URL, 4.4: these schemes are special). */
static int
is_slash(char c)
{
	return (c == '/' || c == '\\');
}

/* Take an authority off, and leave what is behind it in u->rest. */
static struct slice
authority_cut(struct url *u, const char *s, size_t len)
{
	struct slice	a = { s, 0 };

	while (a.len < len && !is_slash(s[a.len]) && s[a.len] != '?' &&
	    s[a.len] != '#')
		a.len++;
	u->rest.s = s + a.len;
	u->rest.len = len - a.len;
	return (a);
}

/*
 * What a browser makes of the authority of a URL: who logs in ends at the last
 * '@', and a port that is empty is none. It is not passed on who logs in.
 */
static int
authority_read(struct url *u, const char *s, size_t len)
{
	struct slice	 a = authority_cut(u, s, len);
	size_t		 n = a.len;

	while (n > 0 && a.s[n - 1] != '@')
		n--;
	a.s += n;
	a.len -= n;
	if (a.len > 0 && a.s[a.len - 1] == ':')
		a.len--;
	return (httphead_split_host(&a, u->name, &u->port));
}

/* Two slashes or more are what stands in front of an authority. */
static int
url_parse(struct url *u, const struct slice *v)
{
	const struct scheme	*sc = schemes;
	size_t			 n;

	while (sc->len > 0 && (v->len < sc->len ||
	    strncasecmp(v->s, sc->name, sc->len) != 0))
		sc++;
	for (n = sc->len; n < v->len && is_slash(v->s[n]); n++)
		continue;
	if (n < sc->len + 2)
		return (-1);
	u->scheme.s = v->s;
	u->scheme.len = n;
	u->secure = sc->secure;
	return (authority_read(u, v->s + n, v->len - n));
}

/* ---- what a service is called ---- */

static uint16_t
implied_port(const struct service *sv)
{
	return (sv->tls ? 443 : 80);
}

static int
is_loopback(const char *name)
{
	return (strcmp(name, "localhost") == 0 ||
	    strcmp(name, "127.0.0.1") == 0 || strcmp(name, "::1") == 0);
}

/*
 * Does the service go by this name and port? 2: yes, 1: on the same host, and
 * https where it has http: old devices send browsers there. A target is what
 * the services of its own session call it.
 */
static int
service_is(const struct service *sv, const struct session *tunnel,
    const char *name, uint16_t port)
{
	char		own[HTTPHEAD_HOST_SIZE];
	struct slice	v;
	uint16_t	at, of_host;

	v.s = sv->target;
	v.len = strlen(sv->target);
	if (httphead_split_host(&v, own, &at) == -1)
		return (0);
	if (at == 0)
		at = implied_port(sv);
	if (sv->session == tunnel && (port == at || (port == 443 && at == 80)) &&
	    (strcmp(own, name) == 0 || (is_loopback(own) &&
	    is_loopback(name))))
		return (1 + (port == at));
	v.s = sv->host;
	v.len = strlen(sv->host);
	/* Servers name the port they listen on, or a front's. */
	return (v.len > 0 && httphead_split_host(&v, own, &of_host) == 0 &&
	    strcmp(own, name) == 0 && (port == at || port == of_host ||
	    port == 80 || port == 443) ? 2 : 0);
}

/* The service that a URL of this session's services names, or NULL. */
static const struct service *
service_named(const struct urlmap *m, const struct url *u)
{
	const struct service	*self = service_find(&m->services,
				    m->browser->label), *sv;
	int			 secure = u->secure, is = 0;
	uint16_t		 port = u->port;
	size_t			 i;

	if (secure == -1)
		secure = self != NULL &&
		    strcmp(service_scheme(self), "https") == 0;
	if (port == 0)
		port = secure ? 443 : 80;
	if (self != NULL && (is = service_is(self, m->tunnel, u->name,
	    port)) == 2)
		return (self);
	/* Who answers on the host of another, and has none of its own. */
	if (m->from != NULL && service_is(m->from, m->tunnel, u->name,
	    port) == 2)
		return (service_has_label(&m->services, m->from) ? m->from :
		    self);
	for (i = 0; i < m->services.labelled; i++) {
		sv = m->services.v[i];
		if (service_is(sv, m->tunnel, u->name, port) == 2)
			return (sv);
	}
	return (is == 1 ? self : NULL);
}

/* ---- to the service ---- */

int
urlmap_in(struct out *o, const struct urlmap *m, const struct slice *v)
{
	const struct service	*sv;
	struct slice		 origin, rest;
	struct host		 whose;

	if (host_url_origin(v, &origin, &rest) == -1 || host_origin(&origin,
	    m->browser, m->at, &whose) == 0 ||
	    (sv = service_find(&m->services, whose.label)) == NULL)
		return (0);
	out_str(o, service_scheme(sv));
	out_lit(o, "://");
	service_put_authority(o, sv);
	out_put(o, rest.s, rest.len);
	return (1);
}

/* ---- to the browser ---- */

void
urlmap_put_rest(struct out *o, const struct urlmap *m)
{
	const struct origin_at	*at = m->at;
	uint16_t		 port = at->own_port;
	char			 num[8];

	/* The port that the browser uses; a front may not pass it on. */
	if (port == 0)
		port = at->port;
	out_lit(o, "--");
	out_str(o, m->browser->slug);
	out_lit(o, ".");
	out_str(o, at->domain);
	if (port != (strcmp(at->scheme, "https") == 0 ? 443 : 80)) {
		snprintf(num, sizeof(num), ":%u", port);
		out_str(o, num);
	}
}

/* 1 when it is one of the session's. */
static int
put_url(struct out *o, const struct urlmap *m, const struct url *u)
{
	const struct service	*sv = service_named(m, u);

	if (sv == NULL)
		return (0);
	if (u->secure != -1) {
		/* ws stays ws, with the security of the browser's scheme */
		out_put(o, strncasecmp(u->scheme.s, "ws", 2) == 0 ? "ws" :
		    "http", strncasecmp(u->scheme.s, "ws", 2) == 0 ? 2 : 4);
		if (strcmp(m->at->scheme, "https") == 0)
			out_lit(o, "s");
		out_lit(o, ":");
	}
	if (u->scheme.len > 0)
		out_lit(o, "//");
	out_str(o, sv->label);
	urlmap_put_rest(o, m);
	out_put(o, u->rest.s, u->rest.len);
	return (1);
}

static void
out_whole(struct out *o, const struct urlmap *m, const char *s, size_t len)
{
	struct slice	v;
	struct url	u;

	v.s = s;
	v.len = len;
	if (url_parse(&u, &v) == -1 || !put_url(o, m, &u))
		out_put(o, s, len);
}

/* Everything as it is but the URLs between < and >. */
static void
out_link(struct out *o, const struct urlmap *m, const char *s, const char *end)
{
	const char	*from = s, *close;
	int		 quoted = 0;

	for (; s < end; s++) {
		if (*s == '\\' && quoted && s + 1 < end)
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (*s == '<' && !quoted) {
			out_put(o, from, (size_t)(s + 1 - from));
			from = s + 1;
			if ((close = memchr(from, '>', (size_t)(end - from))) ==
			    NULL)
				break;
			out_whole(o, m, from, (size_t)(close - from));
			from = s = close;
		}
	}
	out_put(o, from, (size_t)(end - from));
}

/* Where the URL of a Refresh begins, or NULL: HTML, 4.2.5.3. */
static const char *
refresh_url(const char *s, const char *end)
{
	while (s < end && ((*s >= '0' && *s <= '9') || *s == '.' ||
	    *s == ' ' || *s == '\t'))
		s++;
	if (s == end || (*s != ';' && *s != ','))
		return (NULL);
	for (s++; s < end && (*s == ' ' || *s == '\t'); s++)
		continue;
	if (end - s > 3 && strncasecmp(s, "url", 3) == 0) {
		for (s += 3; s < end && (*s == ' ' || *s == '\t'); s++)
			continue;
		if (s == end || *s != '=')
			return (NULL);
		for (s++; s < end && (*s == ' ' || *s == '\t'); s++)
			continue;
	}
	if (s < end && (*s == '"' || *s == '\''))
		s++;
	return (s);
}

static void
out_refresh(struct out *o, const struct urlmap *m, const struct slice *v)
{
	const char	*end = v->s + v->len, *s = refresh_url(v->s, end);
	const char	*stop = end;

	if (s == NULL) {
		out_put(o, v->s, v->len);
		return;
	}
	out_put(o, v->s, (size_t)(s - v->s));
	if (s > v->s && (s[-1] == '"' || s[-1] == '\'') &&
	    (stop = memchr(s, s[-1], (size_t)(end - s))) == NULL)
		stop = end;
	out_whole(o, m, s, (size_t)(stop - s));
	out_put(o, stop, (size_t)(end - stop));
}

/* URLs and bare hosts among words. */
static void
out_words(struct out *o, const struct urlmap *m, const char *s, const char *end)
{
	const char	*stop;
	struct slice	 host;
	struct url	 u;

	for (; s < end; s = stop) {
		for (stop = s; stop < end && *stop != ' ' && *stop != '\t';
		    stop++)
			continue;
		memset(&u, 0, sizeof(u));
		u.secure = -1;
		host = authority_cut(&u, s, (size_t)(stop - s));
		if (httphead_split_host(&host, u.name, &u.port) == -1 ||
		    !put_url(o, m, &u))
			out_whole(o, m, s, (size_t)(stop - s));
		for (s = stop; stop < end && (*stop == ' ' || *stop == '\t');
		    stop++)
			continue;
		out_put(o, s, (size_t)(stop - s));
	}
}

void
urlmap_out(struct out *o, const struct urlmap *m, const struct slice *v,
    enum urlmap_form form)
{
	switch (form) {
	case URL_WHOLE:
		out_whole(o, m, v->s, v->len);
		break;
	case URL_REFRESH:
		out_refresh(o, m, v);
		break;
	case URL_LINK:
		out_link(o, m, v->s, v->s + v->len);
		break;
	case URL_WORDS:
		out_words(o, m, v->s, v->s + v->len);
		break;
	}
}

int
urlmap_wants_https(const struct urlmap *m, const struct slice *location,
    struct slice *rest)
{
	const struct service	*named = service_find(&m->services,
				    m->browser->label), *to;
	const struct service	*from = m->from != NULL ? m->from : named;
	struct url		 u;

	if (from == NULL || from->tls || url_parse(&u, location) == -1 ||
	    u.secure != 1 || (to = service_named(m, &u)) == NULL ||
	    (to != named && to != from))
		return (0);
	*rest = u.rest;
	return (1);
}
