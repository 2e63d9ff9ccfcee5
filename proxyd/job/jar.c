/* SPDX-License-Identifier: ISC */
/*
 * The cookies that proxyd sets itself: one of the host's own, which nobody else
 * can set, and one for siblings on the parent domain, of the newest sessions
 * only: else a day's sessions would fill every request's head. And what it
 * takes away of those that other pages have set for the parent domain.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "base/clock.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "proxy.h"
#include "proxyd/http/cookie.h"
#include "proxyd/http/hdr.h"
#include "proxyd/http/host.h"
#include "proxyd/http/sieve.h"

#define SCRIPTS_MAX	8192	/* bytes: many services take no more */
#define PLANTED_LINES	4096	/* bytes of lines with an answer */
#define OVERLONG_LINES	49152	/* and where nothing else helps */

/* One cookie; `slug` and `domain` NULL: the host's own. */
static void
put_cookie(struct out *o, const char *name, const struct slice *value,
    const char *domain, int64_t left)
{
	char	num[64];

	out_lit(o, "Set-Cookie: ");
	out_str(o, name);
	out_lit(o, "=");
	out_put(o, value->s, value->len);
	out_lit(o, "; Path=/");
	if (domain != NULL) {
		out_lit(o, "; Domain=.");
		out_str(o, domain);
	}
	snprintf(num, sizeof(num), "; Max-Age=%lld; HttpOnly",
	    (long long)(left > 0 ? left : 0));
	out_str(o, num);
	if (!proc_conf()->proxy_plain)
		out_lit(o, "; Secure");
	if (domain == NULL && !proc_conf()->proxy_plain)
		out_lit(o, "; " SIEVE_PRIORITY);
	out_lit(o, "; SameSite=Lax\r\n");
}

/* ---- cookies that others have planted ---- */

/* Does the browser go to a page? */
static int
is_page(const struct httphead *h)
{
	const struct slice	*mode = httphead_get(h, "sec-fetch-mode");

	return (slice_eq(&h->method_name, "GET") &&
	    !(h->flags & HTTPHEAD_UPGRADE) &&
	    (mode != NULL ? slice_eq(mode, "navigate") : wants_page(h)));
}

/*
 * A cookie is known by its name, domain and path; the path may be any that the
 * request's begins with, with a '/' behind it too.
 */
static size_t
next_path(const struct slice *path, size_t n)
{
	if (n == 0)
		return (1);
	if (n == path->len)
		return (0);
	if (n > 1 && path->s[n - 1] != '/')
		return (n + 1);		/* from /a to /a/ */
	for (n++; n < path->len && path->s[n] != '/'; n++)
		continue;
	return (n);
}

static void
put_end(struct out *o, const struct slice *name, const char *domain,
    const char *path, size_t len, int partitioned)
{
	out_lit(o, "Set-Cookie: ");
	out_put(o, name->s, name->len);
	out_lit(o, "=; Domain=");
	out_str(o, domain);
	out_lit(o, "; Path=");
	out_put(o, path, len);
	out_lit(o, "; Max-Age=0; Secure");
	if (partitioned)
		out_lit(o, "; Partitioned");
	out_lit(o, "\r\n");
}

/* Take one away; what does not fit any more is left for the next time. */
static void
put_ends(struct out *o, const struct slice *name, const char *domain,
    const struct slice *path)
{
	struct slice	p = *path;
	const char	*semi;
	size_t		n = 0, at;

	/* Behind a semicolon would be attributes. */
	if (p.len > 0 && (semi = memchr(p.s, ';', p.len)) != NULL)
		p.len = (size_t)(semi - p.s);
	if (p.len == 0 || p.s[0] != '/') {
		p.s = "/";
		p.len = 1;
	}
	while ((n = next_path(&p, n)) > 0) {
		at = o->len;
		put_end(o, name, domain, p.s, n, 0);
		put_end(o, name, domain, p.s, n, 1);
		if (o->over) {
			o->len = at;
			o->over = 0;
			return;
		}
	}
}

static size_t
cookie_bytes(const struct httphead *h)
{
	size_t	i, n = 0;

	for (i = 0; i < h->nfields; i++)
		if (httphead_is(&h->field[i], "cookie"))
			n += h->field[i].value.len;
	return (n);
}

/*
 * Those of a request that do not go are taken away: the page that is asked for
 * begins without them. What a script of it sets then is vouched for.
 */
static void
put_others(struct out *o, const struct proxy *p)
{
	const struct conf	*cf = proc_conf();
	struct out		 part = { o->p + o->len, 0, PLANTED_LINES, 0 };
	const struct sieve	*s = jar_sieve(p);
	const struct sieve_item	*it;
	int			 page = is_page(p->head);

	if (s == NULL || o->cap - o->len < part.cap ||
	    httphead_get(p->head, "sec-fetch-site") == NULL)
		return;
	for (it = s->item; it < s->item + s->n; it++) {
		if (it->script && part.cap - part.len > it->name.len + 128)
			sieve_vouch(&part, it);
		else if (page && sieve_is_planted(it))
			put_ends(&part, &it->name, cf->proxy_domain,
			    &p->head->path);
	}
	o->len += part.len;
}

/*
 * What is there when a browser comes from elsewhere may be anybody's, so that
 * only a request which a page of this host makes can have what a script of it
 * has set. Who does not say where he comes from is no browser.
 */
struct sieve *
jar_sieve(const struct proxy *p)
{
	static struct sieve	 s;
	const struct slice	*site = httphead_get(p->head, "sec-fetch-site");
	int			 how = 0;

	if (proc_conf()->proxy_plain)
		return (NULL);
	if (site == NULL ||
	    !(cookie_lacks(p->head, p->to.host.slug, 0) & COOKIE_LACKS_HOST))
		how = SIEVE_KNOWN;
	if ((site == NULL || slice_eq(site, "same-origin")) &&
	    cookie_bytes(p->head) < SCRIPTS_MAX &&
	    proc_conf()->script_cookies)
		how |= SIEVE_SCRIPTS;
	sieve_read(&s, p->head, how);
	return (&s);
}

/* ---- a head that was too long to be read ---- */

/* The lines that matter of what is there of it. */
static void
read_broken(struct httphead *h, const char *p, const char *end)
{
	const char	*nl, *colon;
	struct slice	 line;

	h->nfields = 0;
	h->path.s = "/";
	h->path.len = 1;
	h->host = (struct slice){ NULL, 0 };	/* of the one before */
	for (; p < end && h->nfields < HTTPHEAD_FIELDS; p = nl + 1) {
		line.s = p;
		if ((nl = memchr(p, '\n', (size_t)(end - p))) == NULL) {
			/* The last cookie is not all there. */
			nl = end;
			while (nl > p && nl[-1] != ';')
				nl--;
			end = nl;
		}
		line.len = (size_t)(nl - p);
		while (line.len > 0 && line.s[line.len - 1] == '\r')
			line.len--;
		colon = memchr(line.s, ':', line.len);
		if (colon == NULL)
			continue;
		h->field[h->nfields].name.s = line.s;
		h->field[h->nfields].name.len = (size_t)(colon - line.s);
		line.len -= (size_t)(colon + 1 - line.s);
		line.s = colon + 1;
		slice_trim(&line);
		h->field[h->nfields].value = line;
		if (httphead_is(&h->field[h->nfields], "host"))
			h->host = line;
		h->nfields++;
	}
}

/* The path of a request line, if it is one. */
static void
read_path(struct httphead *h, const char *p, const char *end)
{
	const char	*q;

	if ((p = memchr(p, ' ', (size_t)(end - p))) == NULL ||
	    ++p == end || *p != '/')
		return;
	for (q = p; q < end && *q > ' ' && *q != '?'; q++)
		continue;
	h->path.s = p;
	h->path.len = (size_t)(q - p);
}

/* The domain itself, and those above it that may hold cookies. */
static void
put_everywhere(struct out *o, const struct slice *name,
    const struct slice *path)
{
	const char	*domain = proc_conf()->proxy_domain, *dot;

	for (; (dot = strchr(domain, '.')) != NULL; domain = dot + 1)
		put_ends(o, name, domain, path);
}

const char *
jar_overlong(const struct buf *b)
{
	static char		text[OVERLONG_LINES];
	static struct httphead	h;
	static struct sieve	s;
	struct out		o = { text, 0, sizeof(text) - 1, 0 };
	const char		*p;
	struct sieve_item	*big;
	size_t			 i;

	if (b == NULL || proc_conf()->proxy_plain)
		return (NULL);
	p = b->data + b->off;
	read_broken(&h, p, p + b->len);
	read_path(&h, p, p + b->len);
	if (!host_is_under(&h.host, proc_conf()->proxy_domain))
		return (NULL);
	sieve_read(&s, &h, 0);
	do {
		big = NULL;
		for (i = 0; i < s.n; i++)
			if (sieve_is_planted(&s.item[i]) && (big == NULL ||
			    s.item[i].name.len + s.item[i].value.len >
			    big->name.len + big->value.len))
				big = &s.item[i];
		if (big != NULL) {
			put_everywhere(&o, &big->name, &h.path);
			big->goes = 1;
		}
	} while (big != NULL);
	text[o.len] = '\0';
	return (o.len > 0 ? text : NULL);
}

/* ---- ours ---- */

long
jar_lines(const struct proxy *p, int lacking, const struct slice *token,
    const struct grant *g, char *text, size_t size)
{
	const struct conf	*cf = proc_conf();
	struct slice		 ends[COOKIE_ENDS], none = { "", 0 };
	struct out		 o = { text, 0, size - 1, 0 };
	int64_t			 left = (int64_t)g->expires - clock_wall();
	char			 name[sizeof(COOKIE_NAME) + SLUG_SIZE];
	struct slice		 value = *token;
	size_t			 i, n;

	if (g->reference[0] != '\0') {
		value.s = g->reference;
		value.len = strlen(g->reference);
	}
	if (lacking & COOKIE_LACKS_DOMAIN) {
		snprintf(name, sizeof(name), COOKIE_NAME "_%s",
		    p->to.host.slug);
		put_cookie(&o, name, &value, cf->proxy_domain, left);
		n = cookie_ends(p->head, p->to.host.slug, ends);
		for (i = 0; i < n; i++) {
			snprintf(name, sizeof(name), "%.*s", (int)ends[i].len,
			    ends[i].s);
			put_cookie(&o, name, &none, cf->proxy_domain, 0);
		}
	}
	if (lacking & COOKIE_LACKS_HOST)
		put_cookie(&o, cf->proxy_plain ? COOKIE_NAME : COOKIE_HOST,
		    &value, NULL, left);
	put_others(&o, p);
	if (o.over)
		return (-1);
	text[o.len] = '\0';
	return ((long)o.len);
}

void
jar_refresh(struct proxy *p, const struct grant *g)
{
	static char	text[JAR_MAX];
	struct slice	token = { p->memo.token, p->memo.len };
	long		n;
	int		lacking;

	if (p->memo.g != g || p->cookies != NULL)
		return;
	lacking = is_page(p->head) ? cookie_lacks(p->head, p->to.host.slug,
	    proc_conf()->proxy_plain) : 0;
	n = jar_lines(p, lacking, &token, g, text, sizeof(text));
	if (n > 0)
		p->cookies = strdup(text);
	/* Mostly there was nothing to say. */
	sodium_memzero(text, n >= 0 ? (size_t)n : sizeof(text));
}

void
jar_clear(struct proxy *p)
{
	if (p->cookies == NULL)
		return;
	sodium_memzero(p->cookies, strlen(p->cookies));
	free(p->cookies);
	p->cookies = NULL;
}
