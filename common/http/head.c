/* SPDX-License-Identifier: ISC */

/*
 * One head: first all its bytes are found and checked (httphead_scan.c), then
 * llhttp takes them apart in one go, then it is asked whether all parsers on
 * the way will read the same thing out of them (httphead_target.c,
 * httphead_fields.c). llhttp's build options do not matter to the answer:
 * what it may be lenient about is refused before or after it.
 */

#include <string.h>

#include <llhttp.h>

#include "head_int.h"

/* What the callbacks fill. */
struct parse {
	struct httphead	*h;
	int		 done;		/* the empty line was reached */
	int		 too_many;	/* fields */
};

static int	on_field(llhttp_t *, const char *, size_t);
static int	on_value(llhttp_t *, const char *, size_t);
static int	on_complete(llhttp_t *);
static int	run(struct httphead *, int, const char *, const char *,
		    struct httphead_fault *);
static int	method_of(const struct slice *);
static int	check_names(const struct httphead *, struct httphead_fault *);
static int	request_line(struct httphead *, const char *, const char *,
		    struct httphead_fault *);
static int	parse_request(struct httphead *, const char *, const char *,
		    struct httphead_fault *);
static int	status_line(struct httphead *, const char *, const char *,
		    struct httphead_fault *);
static int	parse_response(struct httphead *, int, const char *,
		    const char *, struct httphead_fault *);

static const llhttp_settings_t settings = {
	.on_header_field = on_field,
	.on_header_value = on_value,
	.on_headers_complete = on_complete
};

/* The head lies in one piece and no line is folded: one call for each name. */
static int
on_field(llhttp_t *ll, const char *s, size_t len)
{
	struct parse		*p = ll->data;
	struct httphead_field	*fd;

	if (p->h->nfields == (ll->type == HTTP_REQUEST ?
	    HTTPHEAD_REQUEST_FIELDS : HTTPHEAD_FIELDS)) {
		p->too_many = 1;
		return (-1);
	}
	fd = &p->h->field[p->h->nfields++];
	fd->name.s = s;
	fd->name.len = len;
	fd->value.s = s + len;
	fd->value.len = 0;
	return (0);
}

static int
on_value(llhttp_t *ll, const char *s, size_t len)
{
	struct parse		*p = ll->data;
	struct httphead_field	*fd;

	if (p->h->nfields == 0)
		return (-1);
	fd = &p->h->field[p->h->nfields - 1];
	fd->value.s = s;
	fd->value.len = len;
	slice_trim(&fd->value);
	return (0);
}

static int
on_complete(llhttp_t *ll)
{
	struct parse	*p = ll->data;

	p->done = 1;
	return (HPE_PAUSED);
}

/*
 * Let llhttp take the fields apart: `s` to `end`, complete. It sees a first
 * line of its own liking before them: what it thinks of methods, targets and
 * reasons differs from build to build, and ours is judged already.
 */
static int
run(struct httphead *h, int type, const char *s, const char *end,
    struct httphead_fault *f)
{
	static const char	 line[] = "GET / HTTP/1.1\r\n";
	static const char	 status[] = "HTTP/1.1 200 OK\r\n";
	struct parse		 p = { .h = h };
	llhttp_t		 ll;
	llhttp_errno_t		 err;

	h->nfields = 0;
	llhttp_init(&ll, type, &settings);
	ll.data = &p;
	err = type == HTTP_REQUEST ?
	    llhttp_execute(&ll, line, sizeof(line) - 1) :
	    llhttp_execute(&ll, status, sizeof(status) - 1);
	if (err == HPE_OK)
		err = llhttp_execute(&ll, s, end - s);
	if (p.too_many)
		return (httphead_fault(f, 431, "too many fields"));
	if (!p.done || err != HPE_PAUSED)
		return (httphead_fault(f, 400, "malformed head"));
	return (check_names(h, f));
}

/* llhttp's lenient build lets blanks into names. */
static int
check_names(const struct httphead *h, struct httphead_fault *f)
{
	const struct slice	*n;
	size_t			 i;

	for (i = 0; i < h->nfields; i++) {
		n = &h->field[i].name;
		if (!slice_is_token(n) || n->s[n->len] != ':')
			return (httphead_fault(f, 400, "bad field name"));
	}
	return (0);
}

/* One that something here depends on, else -1: any other token. */
static int
method_of(const struct slice *name)
{
	static const struct {
		char	name[12];
		int	method;
	} known[] = {
		{ "GET", HTTP_GET }, { "POST", HTTP_POST },
		{ "HEAD", HTTP_HEAD }, { "PUT", HTTP_PUT },
		{ "DELETE", HTTP_DELETE }, { "OPTIONS", HTTP_OPTIONS },
		{ "TRACE", HTTP_TRACE }, { "PROPFIND", HTTP_PROPFIND },
		{ "CONNECT", HTTP_CONNECT },
	};
	size_t	 i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_eq(name, known[i].name))
			return (known[i].method);
	return (-1);
}

/* The request line is exactly: method, blank, target, blank, version. */
static int
request_line(struct httphead *h, const char *s, const char *end,
    struct httphead_fault *f)
{
	const char	*eol, *sp, *v;

	eol = memchr(s, '\r', end - s);
	sp = memchr(s, ' ', eol - s);
	h->method_name.s = s;
	h->method_name.len = sp == NULL ? 0 : sp - s;
	if (!slice_is_token(&h->method_name) || eol - s < 12)
		return (httphead_fault(f, 400, "bad request line"));
	v = eol - 8;
	if (v <= sp + 1 || v[-1] != ' ' || memcmp(v, "HTTP/", 5) != 0 ||
	    v[5] < '0' || v[5] > '9' || v[6] != '.' || v[7] < '0' ||
	    v[7] > '9' || memchr(sp + 1, ' ', v - 1 - (sp + 1)) != NULL)
		return (httphead_fault(f, 400, "bad request line"));
	if (v[5] != '1' || v[7] > '1')
		return (httphead_fault(f, 505, "HTTP version not supported"));
	h->minor = v[7] - '0';
	h->target.s = sp + 1;
	h->target.len = v - 1 - h->target.s;
	return (0);
}

static int
parse_request(struct httphead *h, const char *s, const char *end,
    struct httphead_fault *f)
{
	struct httphead_known	 k;

	if (request_line(h, s, end, f) == -1)
		return (-1);
	h->method = method_of(&h->method_name);
	h->status = 0;
	if (h->method == HTTP_CONNECT)
		return (httphead_fault(f, 501, "CONNECT"));
	s = memchr(s, '\n', end - s);
	if (run(h, HTTP_REQUEST, s + 1, end, f) == -1 ||
	    httphead_fields(h, 1, &k, f) == -1 ||
	    httphead_target(h, k.host, f) == -1 ||
	    httphead_frame_request(h, &k, f) == -1)
		return (-1);
	return (0);
}

int
httphead_request(struct httphead *h, struct httphead_scan *sc,
    const char *buf, size_t len, int *status, const char **why)
{
	return (httphead_request_max(h, sc, HTTPHEAD_MAX, buf, len, status,
	    why));
}

int
httphead_request_max(struct httphead *h, struct httphead_scan *sc, size_t max,
    const char *buf, size_t len, int *status, const char **why)
{
	struct httphead_fault	 f = { 0, NULL };
	const char		*s;
	size_t			 n;
	int			 rv;

	rv = httphead_scan(sc, buf, len, max, 1, &n, &f);
	if (rv == 1) {
		s = buf[0] == '\r' ? buf + 2 : buf;
		h->head_len = n;
		if (parse_request(h, s, buf + n, &f) == -1)
			rv = -1;
	}
	if (rv == -1) {
		*status = f.status;
		if (why != NULL)
			*why = f.why;
	}
	return (rv);
}

/* `HTTP/1.x NNN`, and a blank if a reason follows (RFC 9112, section 4). */
static int
status_line(struct httphead *h, const char *s, const char *end,
    struct httphead_fault *f)
{
	const char	*eol = memchr(s, '\r', end - s);
	int		 i;

	if (eol - s < 12 || memcmp(s, "HTTP/1.", 7) != 0 ||
	    (s[7] != '0' && s[7] != '1') || s[8] != ' ' ||
	    (eol - s > 12 && s[12] != ' '))
		return (httphead_fault(f, 502, "bad status line"));
	h->minor = s[7] - '0';
	h->status = 0;
	for (i = 9; i < 12; i++) {
		if (s[i] < '0' || s[i] > '9')
			return (httphead_fault(f, 502, "bad status"));
		h->status = h->status * 10 + (s[i] - '0');
	}
	if (h->status < 100)
		return (httphead_fault(f, 502, "bad status"));
	h->reason.s = eol - s > 13 ? s + 13 : eol;
	h->reason.len = eol - h->reason.s;
	return (0);
}

static int
parse_response(struct httphead *h, int method, const char *s, const char *end,
    struct httphead_fault *f)
{
	struct httphead_known	 k;

	if (status_line(h, s, end, f) == -1)
		return (-1);
	s = memchr(s, '\n', end - s);
	if (run(h, HTTP_RESPONSE, s + 1, end, f) == -1 ||
	    httphead_fields(h, 0, &k, f) == -1 ||
	    httphead_frame_response(h, method, &k, f) == -1)
		return (-1);
	h->method = method;
	return (0);
}

int
httphead_response(struct httphead *h, struct httphead_scan *sc, int method,
    const char *buf, size_t len, const char **why)
{
	struct httphead_fault	 f = { 0, NULL };
	size_t			 n;
	int			 rv;

	rv = httphead_scan(sc, buf, len, HTTPHEAD_RESPONSE_MAX, 0, &n, &f);
	if (rv == 1) {
		h->head_len = n;
		if (parse_response(h, method, buf, buf + n, &f) == -1)
			rv = -1;
	}
	if (rv == -1 && why != NULL)
		*why = f.why;
	return (rv);
}
