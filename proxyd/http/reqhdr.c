/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cookie.h"
#include "hdr.h"
#include "sieve.h"
#include "urlmap.h"

enum { PASS, DROP, COOKIE, ORIGIN, REFERER, DESTINATION, ENCODING, REQUEST,
    MATCH };

/* The field, or all whose names begin so, does not go to the service. */
#define GONE(name)	{ name, sizeof(name) - 1, 0, 1, DROP }
#define GONE_ALL(name)	{ name, sizeof(name) - 1, 1, 1, DROP }

/*
 * Hop-by-hop fields, those that proxyd writes itself, those that would tell a
 * customer the operator's address (O36), and all by which a page's own script
 * could choose for the service where a request goes or who it comes from: a
 * service behind a front proxy of its own believes that proxy's fields. In all
 * of them a '_' is a '-' (many services cannot tell them apart).
 */
static const struct hdr_rule	rules[] = {
	GONE("host"),
	HDR_RULE("cookie", COOKIE),
	HDR_RULE("origin", ORIGIN),
	HDR_RULE("referer", REFERER),
	HDR_RULE("destination", DESTINATION),
	HDR_RULE("accept-encoding", ENCODING),
	HDR_RULE("x-request-id", REQUEST),
	HDR_RULE("if-match", MATCH),
	GONE("content-length"),
	GONE("transfer-encoding"),
	GONE("connection"),
	GONE("keep-alive"),
	GONE("proxy-connection"),
	GONE("proxy-authorization"),
	GONE("te"),
	GONE("trailer"),
	GONE("upgrade"),
	GONE("http2-settings"),
	GONE("via"),
	/* Who asks, as a front proxy would say it. */
	GONE_ALL("forwarded"),
	GONE_ALL("x-forwarded"),
	GONE_ALL("x-real-"),
	GONE_ALL("x-client-"),
	GONE_ALL("x-remote-"),
	GONE_ALL("x-cluster-client-"),
	GONE_ALL("x-originating-"),
	GONE_ALL("x-proxyuser-"),
	GONE_ALL("x-appengine-"),
	GONE_ALL("x-azure-"),
	GONE_ALL("x-envoy-"),
	GONE("x-ip"),
	GONE_ALL("cf-"),
	GONE_ALL("client-ip"),
	GONE_ALL("true-client-"),
	GONE_ALL("fastly-client-"),
	GONE_ALL("proxy-client-"),
	GONE_ALL("wl-proxy-client-"),
	/* What was asked for and how, the same way. */
	GONE_ALL("x-original-"),
	GONE_ALL("x-rewrite-"),
	GONE_ALL("x-http-host-override"),
	GONE("x-host"),
	GONE("x-scheme"),
	GONE("x-url-scheme"),
	GONE("x-script-name"),
	GONE_ALL("front-end-https"),
	GONE("proxy"),	/* HTTP_PROXY to a CGI program */
};
static struct hdr_rules		request_rules = HDR_RULES(rules);

struct httphead *
hdr_keep(const struct httphead *h)
{
	struct httphead	*copy;
	size_t		 len;

	/* It is made for each request: only as long as its fields reach. */
	len = offsetof(struct httphead, field) +
	    h->nfields * sizeof(h->field[0]);
	if ((copy = malloc(len)) != NULL)
		memcpy(copy, h, len);
	return (copy);
}

/* Whether the name begins like the rule's, which is in lower case. */
static int
name_begins(const char *s, const struct hdr_rule *r)
{
	size_t	i;
	char	c;

	for (i = 0; i < r->len; i++) {
		c = s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 0x20 : s[i];
		if ((c == '_' && r->under ? '-' : c) != r->name[i])
			return (0);
	}
	return (1);
}

/* The last of the rules first, so that the first comes to stand in front. */
static void
index_make(struct hdr_rules *rs)
{
	size_t		i;
	unsigned char	*first;

	for (i = rs->n; i-- > 0;) {
		first = &rs->first[rs->rule[i].name[0] & 31];
		rs->next[i] = *first;
		*first = (unsigned char)(i + 1);
	}
	rs->made = 1;
}

int
hdr_rule(struct hdr_rules *rs, const struct slice *name, int dflt)
{
	const struct hdr_rule	*r;
	size_t			 i;

	if (!rs->made)
		index_make(rs);
	for (i = rs->first[name->s[0] & 31]; i > 0; i = rs->next[i - 1]) {
		r = &rs->rule[i - 1];
		if ((name->len == r->len ||
		    (r->prefix && name->len > r->len)) &&
		    name_begins(name->s, r))
			return (r->what);
	}
	return (dflt);
}

int
hdr_connection_names(const struct httphead *h)
{
	size_t	i;

	for (i = 0; i < h->nfields; i++)
		if (httphead_is(&h->field[i], "connection") &&
		    !slice_caseeq(&h->field[i].value, "keep-alive") &&
		    !slice_caseeq(&h->field[i].value, "close") &&
		    !slice_caseeq(&h->field[i].value, "upgrade"))
			return (1);
	return (0);
}

int
hdr_connection_has(const struct httphead *h, const struct slice *name)
{
	char	text[128];

	if (name->len >= sizeof(text))
		return (0);
	memcpy(text, name->s, name->len);
	text[name->len] = '\0';
	return (httphead_has_token(h, "connection", text));
}

void
hdr_put_field(struct out *o, const struct httphead_field *f)
{
	/* Name, colon, blanks and value are one piece; an empty value not. */
	if (f->value.len > 0)
		out_put(o, f->name.s,
		    (size_t)(f->value.s + f->value.len - f->name.s));
	else {
		out_put(o, f->name.s, f->name.len);
		out_lit(o, ":");
	}
	out_lit(o, "\r\n");
}

/* operator-api.md, 7.7 */
static void
put_path(struct out *o, const struct httphead *h, const struct reqhdr *a)
{
	struct slice	path = h->path;
	size_t		n;

	if (path.len == 0 || path.s[0] != '/') {
		out_put(o, path.s, path.len);
		return;
	}
	if ((n = service_path_len(a->service->path_prefix)) > 0) {
		if (service_path_fits(&path, a->service->path_prefix, n)) {
			path.s += n;
			path.len -= n;
		}
		if (path.len == 0)
			out_lit(o, "/");
	} else if ((n = service_path_len(a->service->path)) > 0 &&
	    !service_path_fits(&path, a->service->path, n))
		out_put(o, a->service->path, n);
	out_put(o, path.s, path.len);
}

/*
 * All of them in one field, as RFC 6265 5.4 has it: HTTP/2 may bring more (RFC
 * 9113, 8.2.3), and a service that joins fields does so with a comma.
 */
static void
put_cookies(struct out *o, const struct httphead *h)
{
	const struct httphead_field	*f;
	const char			*before;
	size_t				 i, n, at = o->len;

	for (i = 0; i < h->nfields; i++) {
		f = &h->field[i];
		if (hdr_rule(&request_rules, &f->name, PASS) != COOKIE)
			continue;
		if (o->cap - o->len < f->value.len + 10) {
			o->over = 1;
			return;
		}
		before = o->len == at ? "Cookie: " : "; ";
		n = cookie_strip(&f->value, o->p + o->len + strlen(before));
		if (n == 0)
			continue;
		memcpy(o->p + o->len, before, strlen(before));
		o->len += strlen(before) + n;
	}
	if (o->len != at)
		out_lit(o, "\r\n");
}

/*
 * Origin and Referer name the page's place as the service knows it, when the
 * page is one of this session's; where else the browser was is not the
 * customer's business. An Origin is there whenever the browser sent one.
 */
static void
put_origin(struct out *o, const struct slice *v, const struct urlmap *map)
{
	out_lit(o, "Origin: ");
	if (!urlmap_in(o, map, v))
		out_lit(o, "null");
	out_lit(o, "\r\n");
}

static void
put_referer(struct out *o, const struct slice *v, const struct urlmap *map)
{
	size_t	at = o->len;

	out_lit(o, "Referer: ");
	if (urlmap_in(o, map, v))
		out_lit(o, "\r\n");
	else
		o->len = at;
}

/* Where WebDAV copies to: RFC 4918, 10.3. */
static void
put_destination(struct out *o, const struct httphead_field *f,
    const struct urlmap *map)
{
	out_lit(o, "Destination: ");
	if (!urlmap_in(o, map, &f->value))
		out_put(o, f->value.s, f->value.len);
	out_lit(o, "\r\n");
}

/*
 * A body that may have to be rewritten comes as it is or in gzip. It is said
 * once, when a field says that the browser takes it.
 */
static int
put_encoding(struct out *o, const struct slice *v)
{
	struct slice	list = *v, el;

	while (slice_list_next(&list, &el)) {
		if (!slice_cut_weight(&el) || (!slice_caseeq(&el, "gzip") &&
		    !slice_caseeq(&el, "x-gzip")))
			continue;
		out_lit(o, "Accept-Encoding: gzip\r\n");
		return (1);
	}
	return (0);
}

/*
 * A tag that is weak may be one that the service gave as a strong one, to a body
 * that was rewritten; If-Match never fits a weak one (RFC 9110, 13.1.1). So it
 * is there as a strong one as well, behind them all.
 */
static void
put_match(struct out *o, const struct slice *v)
{
	const char	*p, *close, *end = v->s + v->len;

	out_lit(o, "If-Match: ");
	out_put(o, v->s, v->len);
	for (p = v->s; p < end; p = close + 1) {
		if ((p = memchr(p, '"', (size_t)(end - p))) == NULL ||
		    (close = memchr(p + 1, '"', (size_t)(end - p - 1))) ==
		    NULL)
			break;
		if (p - v->s < 2 || memcmp(p - 2, "W/", 2) != 0)
			continue;
		out_lit(o, ", ");
		out_put(o, p, (size_t)(close + 1 - p));
	}
	out_lit(o, "\r\n");
}

static void
put_framing(struct out *o, const struct httphead *h, const struct reqhdr *a)
{
	char	num[48];
	int	n;

	/* Nothing else may be taken up, whatever the browser lists. */
	if (a->upgrade)
		out_lit(o, "Connection: Upgrade\r\nUpgrade: websocket\r\n");
	if (h->flags & HTTPHEAD_CHUNKED)
		out_lit(o, "Transfer-Encoding: chunked\r\n");
	else if (h->flags & HTTPHEAD_LENGTH) {
		n = snprintf(num, sizeof(num), "Content-Length: %llu\r\n",
		    (unsigned long long)h->content_length);
		out_put(o, num, (size_t)n);
	}
}

int
reqhdr_build(struct out *o, const struct httphead *h, const struct reqhdr *a)
{
	const struct httphead_field	*f;
	size_t				 i;
	int				 names = hdr_connection_names(h);
	int				 encoding = 0, request = 0;

	out_put(o, h->method_name.s, h->method_name.len);
	out_lit(o, " ");
	put_path(o, h, a);
	if (h->query.s != NULL) {
		out_lit(o, "?");
		out_put(o, h->query.s, h->query.len);
	}
	out_lit(o, " HTTP/1.1\r\nHost: ");
	service_put_authority(o, a->service);
	out_lit(o, "\r\nX-Forwarded-Proto: ");
	out_str(o, service_scheme(a->service));
	out_lit(o, "\r\n");
	for (i = 0; i < h->nfields; i++) {
		f = &h->field[i];
		switch (hdr_rule(&request_rules, &f->name, PASS)) {
		case PASS:
			if (!names || !hdr_connection_has(h, &f->name))
				hdr_put_field(o, f);
			break;
		case REQUEST:
			hdr_put_field(o, f);
			request = 1;
			break;
		case ORIGIN:
			put_origin(o, &f->value, a->map);
			break;
		case REFERER:
			put_referer(o, &f->value, a->map);
			break;
		case DESTINATION:
			put_destination(o, f, a->map);
			break;
		case MATCH:
			if (!a->rewrites)
				hdr_put_field(o, f);
			else
				put_match(o, &f->value);
			break;
		case ENCODING:
			if (!a->rewrites)
				hdr_put_field(o, f);
			else if (!encoding)
				encoding = put_encoding(o, &f->value);
			break;
		}
	}
	if (a->sieve != NULL)
		sieve_put(o, a->sieve);
	else
		put_cookies(o, h);
	if (!request) {
		out_lit(o, "X-Request-Id: ");
		out_str(o, a->request);
		out_lit(o, "\r\n");
	}
	put_framing(o, h, a);
	out_lit(o, "\r\n");
	return (o->over ? -1 : 0);
}
