/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "cookie.h"
#include "sieve.h"
#include "urlmap.h"

enum { PASS, DROP, SET_COOKIE, CSP, LENGTH, EXPOSE, ETAG, OF_BODY, WHOLE,
    REFRESH, LINK };

/* operator-api.md, 7.5 and 7.9 */
static const struct hdr_rule	rules[] = {
	HDR_RULE("content-length", LENGTH),
	HDR_RULE("transfer-encoding", DROP),
	HDR_RULE("etag", ETAG),
	HDR_RULE("accept-ranges", OF_BODY),
	HDR_RULE("content-md5", OF_BODY),
	HDR_RULE("digest", OF_BODY),
	HDR_RULE("content-digest", OF_BODY),
	HDR_RULE("repr-digest", OF_BODY),
	HDR_RULE("trailer", DROP),
	HDR_RULE("connection", DROP),
	HDR_RULE("keep-alive", DROP),
	HDR_RULE("proxy-connection", DROP),
	HDR_RULE("proxy-authenticate", DROP),
	HDR_RULE("upgrade", DROP),
	HDR_RULE("location", WHOLE),
	HDR_RULE("content-location", WHOLE),
	HDR_RULE("refresh", REFRESH),
	HDR_RULE("link", LINK),
	HDR_RULE("set-cookie", SET_COOKIE),
	HDR_RULE("content-security-policy", CSP),
	HDR_RULE("x-frame-options", DROP),
	HDR_RULE("access-control-expose-headers", EXPOSE),
	HDR_PREFIX("access-control-", DROP),
	HDR_RULE("clear-site-data", DROP),
	HDR_RULE("strict-transport-security", DROP),
	HDR_RULE("alt-svc", DROP),
	HDR_RULE("nel", DROP),
	HDR_RULE("report-to", DROP),
};
static struct hdr_rules		response_rules = HDR_RULES(rules);

static void
put_set_cookie(struct out *o, const struct slice *v, const struct slice *dir)
{
	size_t	n;

	if (dir != NULL) {
		sieve_set(o, v, dir);
		return;
	}
	if (o->cap - o->len < v->len + COOKIE_SET_MORE + 14) {
		o->over = 1;
		return;
	}
	n = cookie_set(v, 0, o->p + o->len + 12);
	if (n == 0)
		return;
	memcpy(o->p + o->len, "Set-Cookie: ", 12);
	o->len += 12 + n;
	out_lit(o, "\r\n");
}

/* One policy without its frame-ancestors. */
static void
put_policy(struct out *o, const struct urlmap *map, const char *p,
    const char *end)
{
	static const char	name[] = "frame-ancestors";
	const char		*semi, *q;
	struct slice		 words;

	for (; p < end; p = semi + 1) {
		if ((semi = memchr(p, ';', (size_t)(end - p))) == NULL)
			semi = end;
		for (q = p; q < semi && (*q == ' ' || *q == '\t'); q++)
			continue;
		if (q == semi || ((size_t)(semi - q) >= sizeof(name) - 1 &&
		    strncasecmp(q, name, sizeof(name) - 1) == 0 &&
		    ((size_t)(semi - q) == sizeof(name) - 1 ||
		    q[sizeof(name) - 1] == ' ' || q[sizeof(name) - 1] == '\t')))
			continue;
		words.s = q;
		words.len = (size_t)(semi - q);
		urlmap_out(o, map, &words, URL_WORDS);
		out_lit(o, "; ");
	}
	out_lit(o, "frame-ancestors 'self'");
}

static void
put_csp(struct out *o, const struct slice *v, const struct urlmap *map)
{
	const char	*p, *comma, *end = v->s + v->len;

	out_lit(o, "Content-Security-Policy: ");
	for (p = v->s;; p = comma + 1) {
		if ((comma = memchr(p, ',', (size_t)(end - p))) == NULL)
			comma = end;
		put_policy(o, map, p, comma);
		if (comma == end)
			break;
		out_lit(o, ", ");
	}
	out_lit(o, "\r\n");
}

static void
put_framing(struct out *o, const struct httphead *h, const struct resphdr *a)
{
	char	num[72];
	int	n;

	if (a->upgrade) {
		out_lit(o, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
		return;
	}
	if (h->flags & HTTPHEAD_INTERIM)
		return;
	if (a->rewritten) {
		/* Its pieces fit no piece of what the service has. */
		n = snprintf(num, sizeof(num), "Content-Length: %llu\r\n"
		    "Accept-Ranges: none\r\n", (unsigned long long)a->length);
		out_put(o, num, (size_t)n);
	} else if ((h->flags & (HTTPHEAD_CHUNKED | HTTPHEAD_TO_CLOSE)) &&
	    !a->http10)
		out_lit(o, "Transfer-Encoding: chunked\r\n");
	if (a->close)
		out_lit(o, "Connection: close\r\n");
	else if (a->http10)
		out_lit(o, "Connection: keep-alive\r\n");
}

static void
put_cors(struct out *o, const struct resphdr *a)
{
	out_lit(o, "Access-Control-Allow-Origin: ");
	out_put(o, a->sibling.s, a->sibling.len);
	out_lit(o, "\r\nAccess-Control-Allow-Credentials: true\r\n"
	    "Vary: Origin\r\n");
}

/* It is not the service's byte for byte any more: RFC 9110, 8.8.1. */
static void
put_weak(struct out *o, const struct httphead_field *f)
{
	out_put(o, f->name.s, f->name.len);
	out_lit(o, ": ");
	if (f->value.len > 0 && f->value.s[0] == '"')
		out_lit(o, "W/");
	out_put(o, f->value.s, f->value.len);
	out_lit(o, "\r\n");
}

static void
put_urls(struct out *o, const struct httphead_field *f, int what,
    const struct urlmap *map)
{
	out_put(o, f->name.s, f->name.len);
	out_lit(o, ": ");
	urlmap_out(o, map, &f->value, what == WHOLE ? URL_WHOLE :
	    what == REFRESH ? URL_REFRESH : URL_LINK);
	out_lit(o, "\r\n");
}

static void
put_fields(struct out *o, const struct httphead *h, const struct resphdr *a,
    int *csp)
{
	const struct httphead_field	*f;
	size_t				 i;
	int				 what, names = hdr_connection_names(h);

	for (i = 0; i < h->nfields; i++) {
		f = &h->field[i];
		what = hdr_rule(&response_rules, &f->name, PASS);
		if ((what == ETAG || what == OF_BODY) && !a->rewritten)
			what = PASS;
		if (what == PASS && names && hdr_connection_has(h, &f->name))
			continue;
		if (a->apart && (what == SET_COOKIE || what == CSP ||
		    httphead_is(f, "x-content-type-options")))
			continue;
		if (what == SET_COOKIE)
			put_set_cookie(o, &f->value, a->dir);
		else if (what == CSP) {
			put_csp(o, &f->value, a->map);
			*csp = 1;
		} else if (what >= WHOLE)
			put_urls(o, f, what, a->map);
		else if (what == ETAG)
			put_weak(o, f);
		else if (what == PASS || (what == LENGTH &&
		    !(h->flags & (HTTPHEAD_CHUNKED | HTTPHEAD_INTERIM)) &&
		    h->status != 204 && !a->upgrade && !a->rewritten) ||
		    (what == EXPOSE && a->sibling.s != NULL))
			hdr_put_field(o, f);
	}
}

int
resphdr_build(struct out *o, const struct httphead *h, const struct resphdr *a)
{
	char	line[] = "HTTP/1.1 000 ";
	int	csp = 0;

	line[9] += (char)(h->status / 100);
	line[10] += (char)(h->status / 10 % 10);
	line[11] += (char)(h->status % 10);
	out_put(o, line, sizeof(line) - 1);
	out_put(o, h->reason.s, h->reason.len);
	out_lit(o, "\r\n");
	put_fields(o, h, a, &csp);
	if (a->apart)
		out_lit(o, "Content-Security-Policy: sandbox; default-src "
		    "'none'\r\nX-Content-Type-Options: nosniff\r\n");
	else if (!csp && !a->upgrade && !(h->flags & HTTPHEAD_INTERIM))
		out_lit(o,
		    "Content-Security-Policy: frame-ancestors 'self'\r\n");
	if (a->sibling.s != NULL && !(h->flags & HTTPHEAD_INTERIM))
		put_cors(o, a);
	if (a->extra != NULL && !(h->flags & HTTPHEAD_INTERIM))
		out_str(o, a->extra);
	put_framing(o, h, a);
	out_lit(o, "\r\n");
	return (o->over ? -1 : 0);
}
