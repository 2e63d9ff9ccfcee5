/* SPDX-License-Identifier: ISC */
/*
 * A request head (or, behind a first byte of 'R', a response head) through
 * classification and rewriting: what comes out must parse again and say the
 * same about its body, and hold none of what must not pass.
 */
#include "proxyd/http/lenient.h"
#include "proxyd/http/sieve.h"
#include "proxyd/http/urlmap.h"
#include "proxyd/door/route.h"
#include "fuzz.h"

static char	buf[RESPHDR_MAX];

static struct service	service = { .label = "web", .target = "10.0.0.1:80",
    .host = "app.lan", .path_prefix = "/panel" };
static const struct host	browser = { "web",
    "0123456789abcdef0123456789abcdef" };
static const struct origin_at	at = { "support.example.com", "https", 443, 0 };
static struct service *const	listed[] = { &service };
static const struct urlmap	map = { { listed, 1, 1 }, NULL, NULL, &browser,
    &at };

static void
request(const char *p, size_t len)
{
	static struct httphead	h, again;
	struct httphead_scan	scan = { 0, 0, 0 }, scan2 = { 0, 0, 0 };
	static struct conf	cf;
	struct route_to		to;
	struct out		o = { buf, 0, REQHDR_MAX, 0 };
	static struct sieve	sieve;
	struct reqhdr		a = { .service = &service, .map = &map,
				    .sieve = &sieve, .request = "r1" };
	int			status;
	const char		*why;

	conf_init(&cf);
	strcpy(cf.proxy_domain, "support.example.com");
	if (httphead_request(&h, &scan, p, len, &status, &why) != 1)
		return;
	(void)route_find(&to, &h, &h.host, 0, &cf);
	a.upgrade = (h.flags & HTTPHEAD_UPGRADE) != 0;
	sieve_read(&sieve, &h, SIEVE_KNOWN | SIEVE_SCRIPTS);
	if (reqhdr_build(&o, &h, &a) == -1)
		return;
	if (httphead_request(&again, &scan2, o.p, o.len, &status, &why) != 1) {
		/* A head at the limit grows by what is put in. */
		if (o.len > HTTPHEAD_MAX || status == 431)
			return;
		abort();
	}
	if (again.content_length != h.content_length ||
	    (again.flags & HTTPHEAD_CHUNKED) != (h.flags & HTTPHEAD_CHUNKED) ||
	    again.head_len != o.len ||
	    httphead_get(&again, "x-forwarded-for") != NULL ||
	    httphead_get(&again, "x_forwarded_for") != NULL ||
	    httphead_get(&again, "te") != NULL)
		abort();
}

static void
response(const char *p, size_t len)
{
	static struct httphead	h, again;
	struct httphead_scan	scan2 = { 0, 0, 0 };
	struct lenient		l = { 0 };
	struct out		o = { buf, 0, sizeof(buf), 0 };
	struct resphdr		a;
	struct slice		dir = { "/a", 2 };
	const char		*why;

	memset(&a, 0, sizeof(a));
	a.dir = &dir;
	a.map = &map;
	if (lenient_response(&h, &l, 1, p, len, &why) != 1)
		return;
	a.upgrade = h.status == 101;
	if (resphdr_build(&o, &h, &a) == -1)
		return;
	if (httphead_response(&again, &scan2, 1, o.p, o.len, &why) != 1) {
		if (o.len > HTTPHEAD_RESPONSE_MAX ||
		    h.nfields > HTTPHEAD_FIELDS / 2 - 10)
			return;
		abort();
	}
	if (again.status != h.status || again.head_len != o.len ||
	    /* What ends with its connection goes in chunks. */
	    !(again.flags & HTTPHEAD_CHUNKED) !=
	    !(h.flags & (HTTPHEAD_CHUNKED | HTTPHEAD_TO_CLOSE)) ||
	    ((h.flags & HTTPHEAD_LENGTH) &&
	    again.content_length != h.content_length) ||
	    httphead_get(&again, "x-frame-options") != NULL ||
	    httphead_get(&again, "strict-transport-security") != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return (0);
	if (data[0] == 'R')
		response((const char *)data + 1, len - 1);
	else
		request((const char *)data, len);
	return (0);
}
