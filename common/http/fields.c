/* SPDX-License-Identifier: ISC */

/* The fields of a head: looking them up, and what they say about framing. */

#include <string.h>
#include <strings.h>

#include <llhttp.h>

#include "head_int.h"

#define WS_PREFIX	"Sec-WebSocket-"

static int	take_once(const struct slice **, const struct httphead_field *,
		    struct httphead_fault *);
static int	ws_twice(const struct httphead *, size_t);
static int	parse_length(const struct slice *, uint64_t *);
static int	list_has(const struct slice *, const char *);
static int	frame_body(struct httphead *, const struct httphead_known *,
		    struct httphead_fault *);
static void	frame_connection(struct httphead *,
		    const struct httphead_known *);

int
httphead_is_idempotent(int method)
{
	switch (method) {
	case HTTP_GET:
	case HTTP_HEAD:
	case HTTP_OPTIONS:
	case HTTP_PUT:
	case HTTP_DELETE:
	case HTTP_TRACE:
	case HTTP_PROPFIND:
		return (1);
	default:
		return (0);
	}
}

int
slice_eq(const struct slice *sl, const char *s)
{
	size_t		 len = strlen(s);

	return (sl->len == len && (len == 0 || memcmp(sl->s, s, len) == 0));
}

int
slice_caseeq(const struct slice *sl, const char *s)
{
	size_t		 len = strlen(s);

	return (sl->len == len &&
	    (len == 0 || strncasecmp(sl->s, s, len) == 0));
}

int
slice_is_token(const struct slice *v)
{
	static const char	 ok[256] = {
		['!'] = 1, ['#'] = 1, ['$'] = 1, ['%'] = 1, ['&'] = 1,
		['\''] = 1, ['*'] = 1, ['+'] = 1, ['-'] = 1, ['.'] = 1,
		['^'] = 1, ['_'] = 1, ['`'] = 1, ['|'] = 1, ['~'] = 1,
		['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1,
		['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
		['A'] = 1, ['B'] = 1, ['C'] = 1, ['D'] = 1, ['E'] = 1,
		['F'] = 1, ['G'] = 1, ['H'] = 1, ['I'] = 1, ['J'] = 1,
		['K'] = 1, ['L'] = 1, ['M'] = 1, ['N'] = 1, ['O'] = 1,
		['P'] = 1, ['Q'] = 1, ['R'] = 1, ['S'] = 1, ['T'] = 1,
		['U'] = 1, ['V'] = 1, ['W'] = 1, ['X'] = 1, ['Y'] = 1,
		['Z'] = 1, ['a'] = 1, ['b'] = 1, ['c'] = 1, ['d'] = 1,
		['e'] = 1, ['f'] = 1, ['g'] = 1, ['h'] = 1, ['i'] = 1,
		['j'] = 1, ['k'] = 1, ['l'] = 1, ['m'] = 1, ['n'] = 1,
		['o'] = 1, ['p'] = 1, ['q'] = 1, ['r'] = 1, ['s'] = 1,
		['t'] = 1, ['u'] = 1, ['v'] = 1, ['w'] = 1, ['x'] = 1,
		['y'] = 1, ['z'] = 1
	};
	size_t			 i;

	for (i = 0; i < v->len; i++)
		if (!ok[(unsigned char)v->s[i]])
			return (0);
	return (v->len != 0);
}

int
slice_list_next(struct slice *list, struct slice *el)
{
	const char	*comma;

	if (list->s == NULL)
		return (0);
	*el = *list;
	if ((comma = memchr(list->s, ',', list->len)) != NULL) {
		el->len = (size_t)(comma - list->s);
		list->s = comma + 1;
		list->len -= el->len + 1;
	} else
		list->s = NULL;
	slice_trim(el);
	return (1);
}

/* q=0, q=0.0, q=0.00, q=0.000. */
static int
is_nought(const struct slice *param)
{
	size_t	i = 2;

	if (param->len < 3 || (param->s[0] | 0x20) != 'q' ||
	    param->s[1] != '=')
		return (0);
	while (i < param->len && (param->s[i] == '0' || param->s[i] == '.'))
		i++;
	return (i == param->len);
}

int
slice_cut_weight(struct slice *el)
{
	const char	*end = el->s + el->len, *semi;
	struct slice	 param;
	int		 wanted = 1;

	semi = el->len > 0 ? memchr(el->s, ';', el->len) : NULL;
	if (semi != NULL)
		el->len = (size_t)(semi - el->s);
	slice_trim(el);
	while (semi != NULL) {
		param.s = semi + 1;
		semi = memchr(param.s, ';', (size_t)(end - param.s));
		param.len = (size_t)((semi != NULL ? semi : end) - param.s);
		slice_trim(&param);
		if (is_nought(&param))
			wanted = 0;
	}
	return (wanted);
}

int
httphead_is(const struct httphead_field *fd, const char *name)
{
	return (slice_caseeq(&fd->name, name));
}

const struct slice *
httphead_get(const struct httphead *h, const char *name)
{
	size_t		 i, len = strlen(name);

	for (i = 0; i < h->nfields; i++)
		if (h->field[i].name.len == len &&
		    strncasecmp(h->field[i].name.s, name, len) == 0)
			return (&h->field[i].value);
	return (NULL);
}

static int
list_has(const struct slice *list, const char *token)
{
	struct slice	 left = *list, el;

	while (slice_list_next(&left, &el))
		if (slice_caseeq(&el, token))
			return (1);
	return (0);
}

int
httphead_has_token(const struct httphead *h, const char *name,
    const char *token)
{
	size_t		 i, len = strlen(name);

	for (i = 0; i < h->nfields; i++)
		if (h->field[i].name.len == len &&
		    strncasecmp(h->field[i].name.s, name, len) == 0 &&
		    list_has(&h->field[i].value, token))
			return (1);
	return (0);
}

static int
take_once(const struct slice **place, const struct httphead_field *fd,
    struct httphead_fault *f)
{
	if (*place != NULL)
		return (httphead_fault(f, 400, "field comes twice"));
	*place = &fd->value;
	return (0);
}

/* Whether field `i`, a Sec-WebSocket one, has come before. */
static int
ws_twice(const struct httphead *h, size_t i)
{
	const struct slice	*n = &h->field[i].name;
	size_t			 j;

	for (j = 0; j < i; j++)
		if (h->field[j].name.len == n->len &&
		    strncasecmp(h->field[j].name.s, n->s, n->len) == 0)
			return (1);
	return (0);
}

int
httphead_fields(const struct httphead *h, int request,
    struct httphead_known *k, struct httphead_fault *f)
{
	const struct httphead_field	*fd;
	const struct slice		*auth = NULL, *origin = NULL;
	const struct slice		**place;
	size_t				 i;

	memset(k, 0, sizeof(*k));
	for (i = 0; i < h->nfields; i++) {
		fd = &h->field[i];
		place = NULL;
		switch (fd->name.len) {
		case 4:
			if (request && httphead_is(fd, "Host"))
				place = &k->host;
			break;
		case 6:
			if (request && httphead_is(fd, "Origin"))
				place = &origin;
			break;
		case 7:
			if (httphead_is(fd, "Upgrade")) {
				if (request)
					place = &k->upgrade;
				else
					k->upgrade = &fd->value;
			}
			break;
		case 13:
			if (request && httphead_is(fd, "Authorization"))
				place = &auth;
			break;
		case 14:
			if (httphead_is(fd, "Content-Length"))
				place = &k->length;
			break;
		case 17:
			if (httphead_is(fd, "Transfer-Encoding"))
				place = &k->coding;
			break;
		}
		if (place != NULL && take_once(place, fd, f) == -1)
			return (-1);
		if (request && fd->name.len >= sizeof(WS_PREFIX) - 1 &&
		    strncasecmp(fd->name.s, WS_PREFIX,
		    sizeof(WS_PREFIX) - 1) == 0 && ws_twice(h, i))
			return (httphead_fault(f, 400, "field comes twice"));
	}
	return (0);
}

/* 1 to 18 digits: no sign, no list, and no overflow to think about. */
static int
parse_length(const struct slice *s, uint64_t *out)
{
	uint64_t	 n = 0;
	size_t		 i;

	if (s->len < 1 || s->len > 18)
		return (-1);
	for (i = 0; i < s->len; i++) {
		if (s->s[i] < '0' || s->s[i] > '9')
			return (-1);
		n = n * 10 + (s->s[i] - '0');
	}
	*out = n;
	return (0);
}

/* What Content-Length and Transfer-Encoding say (RFC 9112, section 6). */
static int
frame_body(struct httphead *h, const struct httphead_known *k,
    struct httphead_fault *f)
{
	if (k->length != NULL) {
		if (parse_length(k->length, &h->content_length) == -1)
			return (httphead_fault(f, 400, "bad Content-Length"));
		h->flags |= HTTPHEAD_LENGTH;
	}
	if (k->coding == NULL)
		return (0);
	if (k->length != NULL)
		return (httphead_fault(f, 400,
		    "Content-Length with Transfer-Encoding"));
	if (h->minor == 0)
		return (httphead_fault(f, 400, "Transfer-Encoding in 1.0"));
	if (!slice_caseeq(k->coding, "chunked"))
		return (list_has(k->coding, "chunked") ?
		    httphead_fault(f, 501, "unknown transfer coding") :
		    httphead_fault(f, 400, "body without an end"));
	h->flags |= HTTPHEAD_CHUNKED;
	return (0);
}

static void
frame_connection(struct httphead *h, const struct httphead_known *k)
{
	if (h->minor > 0 ? !httphead_has_token(h, "Connection", "close") :
	    httphead_has_token(h, "Connection", "keep-alive"))
		h->flags |= HTTPHEAD_KEEPALIVE;
	if (k->upgrade != NULL && h->minor > 0 &&
	    list_has(k->upgrade, "websocket") &&
	    httphead_has_token(h, "Connection", "upgrade"))
		h->flags |= HTTPHEAD_UPGRADE;
}

int
httphead_frame_request(struct httphead *h, const struct httphead_known *k,
    struct httphead_fault *f)
{
	const struct slice	*expect;

	h->flags = 0;
	h->content_length = 0;
	if (frame_body(h, k, f) == -1)
		return (-1);
	frame_connection(h, k);
	if (h->method != HTTP_GET)
		h->flags &= ~HTTPHEAD_UPGRADE;
	if (h->flags & HTTPHEAD_UPGRADE &&
	    (h->flags & HTTPHEAD_CHUNKED || h->content_length != 0))
		return (httphead_fault(f, 400, "body on an upgrade"));
	if (h->minor > 0 && (expect = httphead_get(h, "Expect")) != NULL &&
	    slice_caseeq(expect, "100-continue"))
		h->flags |= HTTPHEAD_EXPECT;
	return (0);
}

int
httphead_frame_response(struct httphead *h, int method,
    const struct httphead_known *k, struct httphead_fault *f)
{
	h->flags = 0;
	h->content_length = 0;
	if (frame_body(h, k, f) == -1)
		return (-1);
	frame_connection(h, k);
	if (h->status != 101)
		h->flags &= ~HTTPHEAD_UPGRADE;
	if (h->status < 200 && h->status != 101)
		h->flags |= HTTPHEAD_INTERIM;
	if (h->status < 200 || h->status == 204 || h->status == 304 ||
	    method == HTTP_HEAD) {
		h->flags &= ~(HTTPHEAD_LENGTH | HTTPHEAD_CHUNKED);
		return (0);
	}
	if (!(h->flags & (HTTPHEAD_LENGTH | HTTPHEAD_CHUNKED))) {
		h->flags |= HTTPHEAD_TO_CLOSE;
		h->flags &= ~HTTPHEAD_KEEPALIVE;
	}
	return (0);
}
