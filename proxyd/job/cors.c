/* SPDX-License-Identifier: ISC */
/* Origins, and the plain errors of rendezvous: section 5. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "answer.h"
#include "proc/conf.h"
#include "proc/proc.h"
#include "proxyd/door/conn.h"
#include "proxyd/http/glob.h"
#include "rendezvous.h"

#define NOSNIFF	"X-Content-Type-Options: nosniff\r\n"

static int
origin_allowed(const struct slice *origin)
{
	const struct conf	*conf = proc_conf();

	return (glob_origin(origin, conf->relay_origin[0],
	    sizeof(conf->relay_origin[0]), conf->n_relay_origin));
}

/* D20: a bare star lets everybody in, but without what a browser has. */
static int
origins_are_any(void)
{
	const struct conf	*conf = proc_conf();
	unsigned		 i;

	for (i = 0; i < conf->n_relay_origin; i++)
		if (strcmp(conf->relay_origin[i], "*") == 0)
			return (1);
	return (0);
}

int
cors_fields(const struct httphead *h, char dst[CORS_MAX])
{
	const struct slice	*origin = httphead_get(h, "origin"), *method;
	const struct slice	*asked;
	int			 n;

	dst[0] = '\0';
	if (proc_conf()->n_relay_origin == 0)
		return (0);
	n = snprintf(dst, CORS_MAX, "Vary: Origin\r\n");
	if (origin == NULL || origin->len > HOST_SIZE ||
	    !origin_allowed(origin))
		return (0);
	n += snprintf(dst + n, CORS_MAX - (size_t)n,
	    "Access-Control-Allow-Origin: %.*s\r\n%s", (int)origin->len,
	    origin->s, origins_are_any() ? "" :
	    "Access-Control-Allow-Credentials: true\r\n");
	method = httphead_get(h, "access-control-request-method");
	if (!slice_eq(&h->method_name, "OPTIONS") || method == NULL ||
	    method->len == 0)
		return (0);
	asked = httphead_get(h, "access-control-request-headers");
	if (asked != NULL && (asked->len == 0 || asked->len > 1024))
		asked = NULL;
	snprintf(dst + n, CORS_MAX - (size_t)n, "Access-Control-Allow-Methods: "
	    "GET, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
	    "Access-Control-Allow-Headers: %.*s\r\n"
	    "Access-Control-Max-Age: 600\r\n",
	    asked != NULL ? (int)asked->len : 27, asked != NULL ? asked->s :
	    "Authorization, Content-Type");
	return (1);
}

int
origin_fits(const struct httphead *h, const struct slice *host)
{
	const struct slice	*origin = httphead_get(h, "origin");
	struct slice		 own;

	if (origin == NULL)
		return (1);
	own = glob_host(origin);
	if (own.len > 0 && host->s != NULL && own.len == host->len &&
	    strncasecmp(own.s, host->s, own.len) == 0)
		return (1);
	return (origin_allowed(origin));
}

void
rendezvous_error(struct conn *c, const char *cors, int status,
    const char *text, const char *extra)
{
	char	fields[CORS_MAX + 512], body[MESSAGE_SIZE + 1];
	int	n;

	snprintf(fields, sizeof(fields), NOSNIFF "%s%s",
	    extra != NULL ? extra : "", cors);
	n = snprintf(body, sizeof(body), "%s\n", text);
	answer_as(c, status, "text/plain; charset=utf-8", fields, body,
	    (size_t)n);
}

void
rendezvous_later(struct conn *c, const char *cors, int status,
    const char *text, unsigned retry_s)
{
	char	extra[48];

	snprintf(extra, sizeof(extra), "Retry-After: %u\r\n", retry_s);
	rendezvous_error(c, cors, status, text, retry_s > 0 ? extra : NULL);
}
