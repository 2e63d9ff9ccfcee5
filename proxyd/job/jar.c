/* SPDX-License-Identifier: ISC */
/*
 * The cookies that proxyd sets itself: one of the host's own, which nobody else
 * can set, and one for siblings on the parent domain, of the newest sessions
 * only: else a day's sessions would fill every request's head.
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
	out_lit(o, "; SameSite=Lax\r\n");
}

long
jar_lines(const struct proxy *p, int lacking, const struct slice *token,
    const struct grant *g, char *text, size_t size)
{
	const struct conf	*cf = proc_conf();
	struct slice		 ends[COOKIE_ENDS], none = { "", 0 };
	struct out		 o = { text, 0, size - 1, 0 };
	int64_t			 left = (int64_t)g->expires - clock_wall();
	char			 name[sizeof(COOKIE_NAME) + SLUG_SIZE];
	size_t			 i, n;

	if (lacking & COOKIE_LACKS_DOMAIN) {
		snprintf(name, sizeof(name), COOKIE_NAME "_%s",
		    p->to.host.slug);
		put_cookie(&o, name, token, cf->proxy_domain, left);
		n = cookie_ends(p->head, p->to.host.slug, ends);
		for (i = 0; i < n; i++) {
			snprintf(name, sizeof(name), "%.*s", (int)ends[i].len,
			    ends[i].s);
			put_cookie(&o, name, &none, cf->proxy_domain, 0);
		}
	}
	if (lacking & COOKIE_LACKS_HOST)
		put_cookie(&o, cf->proxy_plain ? COOKIE_NAME : COOKIE_HOST,
		    token, NULL, left);
	if (o.over)
		return (-1);
	text[o.len] = '\0';
	return ((long)o.len);
}

/* Does the browser go to a page? */
static int
is_page(const struct httphead *h)
{
	const struct slice	*mode = httphead_get(h, "sec-fetch-mode");

	return (slice_eq(&h->method_name, "GET") &&
	    !(h->flags & HTTPHEAD_UPGRADE) &&
	    (mode != NULL ? slice_eq(mode, "navigate") : wants_page(h)));
}

void
jar_refresh(struct proxy *p, const struct grant *g)
{
	static char	text[JAR_MAX];
	struct slice	token = { p->memo.token, p->memo.len };
	int		lacking;

	if (p->memo.g != g || p->cookies != NULL || !is_page(p->head) ||
	    (lacking = cookie_lacks(p->head, p->to.host.slug,
	    proc_conf()->proxy_plain)) == 0)
		return;
	if (jar_lines(p, lacking, &token, g, text, sizeof(text)) > 0)
		p->cookies = strdup(text);
	sodium_memzero(text, sizeof(text));
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
