/* SPDX-License-Identifier: ISC */

/* Where a request goes: its target and its Host (RFC 9112, section 3). */

#include <string.h>
#include <strings.h>

#include <llhttp.h>

#include "head_int.h"

static const char	slash[] = "/";

static int	split_port(const char *, size_t, uint16_t *);
static int	copy_name(const char *, size_t, char *);
static int	copy_v6(const char *, size_t, char *);
static int	absolute(struct httphead *, struct slice *);
static void	split_query(struct httphead *, struct slice);

/* What stands behind the name: nothing, or ':' and a port. */
static int
split_port(const char *s, size_t len, uint16_t *port)
{
	unsigned int	 n = 0;
	size_t		 i;

	*port = 0;
	if (len == 0)
		return (0);
	if (s[0] != ':' || len < 2 || len > 6)
		return (-1);
	for (i = 1; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return (-1);
		n = n * 10 + (s[i] - '0');
	}
	if (n < 1 || n > 65535)
		return (-1);
	*port = n;
	return (0);
}

/* What stands in a name, in lower case; 0: nothing does. */
static const char in_name[256] = {
	['-'] = '-', ['.'] = '.', ['_'] = '_',
	['0'] = '0', '1', '2', '3', '4', '5', '6', '7', '8', '9',
	['A'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l',
	'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z',
	['a'] = 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l',
	'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z'
};

/* A name or IPv4 address, to lower case. */
static int
copy_name(const char *s, size_t len, char *host)
{
	size_t		 i;
	char		 c, before = '.';

	if (len > 1 && s[len - 1] == '.')
		len--;
	if (len == 0 || len >= HTTPHEAD_HOST_SIZE || s[len - 1] == '.')
		return (-1);
	for (i = 0; i < len; i++, before = c) {
		c = in_name[(unsigned char)s[i]];
		if (c == '\0' || (c == '.' && before == '.'))
			return (-1);
		host[i] = c;
	}
	host[len] = '\0';
	return (0);
}

/* What is between the brackets; its value is for who uses it to judge. */
static int
copy_v6(const char *s, size_t len, char *host)
{
	size_t		 i;
	char		 c;

	if (len < 2 || len > 45)
		return (-1);
	for (i = 0; i < len; i++) {
		c = s[i];
		if (c >= 'A' && c <= 'F')
			c += 'a' - 'A';
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
		    c == ':' || c == '.'))
			return (-1);
		host[i] = c;
	}
	host[len] = '\0';
	return (0);
}

int
httphead_split_host(const struct slice *in, char host[HTTPHEAD_HOST_SIZE],
    uint16_t *port)
{
	const char	*end;
	size_t		 n;

	if (in->len == 0)
		return (-1);
	if (in->s[0] == '[') {
		if ((end = memchr(in->s, ']', in->len)) == NULL)
			return (-1);
		n = end - in->s;
		if (split_port(end + 1, in->len - n - 1, port) == -1)
			return (-1);
		return (copy_v6(in->s + 1, n - 1, host));
	}
	end = memchr(in->s, ':', in->len);
	n = end == NULL ? in->len : (size_t)(end - in->s);
	if (split_port(in->s + n, in->len - n, port) == -1)
		return (-1);
	return (copy_name(in->s, n, host));
}

/*
 * Cut scheme and authority off an absolute target and leave the rest in
 * `rest`. It says where the request goes, whatever Host says (RFC 9112,
 * 3.2.2).
 */
static int
absolute(struct httphead *h, struct slice *rest)
{
	size_t		 n, i;

	if (rest->len > 7 && strncasecmp(rest->s, "http://", 7) == 0)
		n = 7;
	else if (rest->len > 8 && strncasecmp(rest->s, "https://", 8) == 0)
		n = 8;
	else
		return (-1);
	for (i = n; i < rest->len; i++)
		if (rest->s[i] == '/' || rest->s[i] == '?')
			break;
	h->host.s = rest->s + n;
	h->host.len = i - n;
	rest->s += i;
	rest->len -= i;
	return (0);
}

static void
split_query(struct httphead *h, struct slice t)
{
	const char	*q = NULL;

	if (t.len != 0)
		q = memchr(t.s, '?', t.len);
	h->path = t;
	h->query.s = NULL;
	h->query.len = 0;
	if (q != NULL) {
		h->path.len = q - t.s;
		h->query.s = q + 1;
		h->query.len = t.len - h->path.len - 1;
	}
	if (h->path.len == 0) {
		h->path.s = slash;
		h->path.len = 1;
	}
}

/*
 * No blank, no control character, no fragment. Bytes above ASCII go on as they
 * are: browsers escape them, others do not, and servers take them.
 */
static int
target_ok(const struct slice *t)
{
	size_t		 i;

	for (i = 0; i < t->len; i++)
		if ((unsigned char)t->s[i] <= ' ' || t->s[i] == 0x7f ||
		    t->s[i] == '#')
			return (0);
	return (t->len != 0);
}

int
httphead_target(struct httphead *h, const struct slice *field,
    struct httphead_fault *f)
{
	struct slice	 t = h->target;
	char		 name[HTTPHEAD_HOST_SIZE];
	uint16_t	 port;

	h->host.s = NULL;
	h->host.len = 0;
	if (field != NULL)
		h->host = *field;
	else if (h->minor > 0)
		return (httphead_fault(f, 400, "no Host"));
	if (field != NULL && httphead_split_host(field, name, &port) == -1)
		return (httphead_fault(f, 400, "bad Host"));
	if (!target_ok(&t))
		return (httphead_fault(f, 400, "bad target"));
	if (slice_eq(&t, "*")) {
		if (h->method != HTTP_OPTIONS)
			return (httphead_fault(f, 400, "bad target"));
	} else if (t.s[0] != '/') {
		if (absolute(h, &t) == -1)
			return (httphead_fault(f, 400, "bad target"));
		if (httphead_split_host(&h->host, name, &port) == -1)
			return (httphead_fault(f, 400, "bad host in target"));
	}
	split_query(h, t);
	return (0);
}

static int
hex_digit(char c)
{
	return (c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ?
	    c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1);
}

void
slice_unescape(const struct slice *v, char *dst, size_t size)
{
	size_t	i, n = 0;
	int	hi, lo;

	for (i = 0; i < v->len && n + 1 < size; i++) {
		dst[n] = v->s[i];
		if (v->s[i] == '%') {
			hi = i + 2 < v->len ? hex_digit(v->s[i + 1]) : -1;
			lo = i + 2 < v->len ? hex_digit(v->s[i + 2]) : -1;
			if (hi == -1 || lo == -1)
				break;
			dst[n] = (char)(hi << 4 | lo);
			i += 2;
		}
		if (dst[n++] == '\0')
			break;
	}
	/* Whole, and no NUL in it. */
	dst[i == v->len ? n : 0] = '\0';
}
