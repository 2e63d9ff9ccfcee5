/* SPDX-License-Identifier: ISC */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authd/store/store.h"
#include "base/compat.h"
#include "param.h"

/* pg_type.dat */
#define OID_BYTES	17
#define OID_INT8	20
#define OID_INT4	23
#define OID_TEXT	25
#define OID_UUID	2950

/* Where the next value goes; without room only its size is counted. */
struct sink {
	struct params	*p;
	unsigned long	 used;
	int		 i;
};

/* How long a well-formed character of UTF-8 is here, 0: none. */
static size_t
utf8_len(const unsigned char *s, size_t left)
{
	size_t		n, i;
	uint32_t	c;

	if (s[0] < 0x80)
		return (s[0] != '\0');
	n = s[0] >= 0xf0 && s[0] < 0xf5 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] >= 0xf5 || n > left)
		return (0);
	c = s[0] & (0xffU >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return (0);
		c = c << 6 | (s[i] & 0x3fU);
	}
	if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) ||
	    c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return (0);
	return (n);
}

/* One byte that is no text would void the whole turn. */
static void
make_text(char *s, size_t len)
{
	size_t	i, n;

	for (i = 0; i < len; i += n)
		if ((n = utf8_len((unsigned char *)s + i, len - i)) == 0) {
			s[i] = '?';
			n = 1;
		}
}

static void
put(struct sink *k, unsigned type, const char *v, size_t len, int is_bytes)
{
	struct params	*p = k->p;
	char		*dst;

	if (p->bytes != NULL) {
		p->type[k->i] = type;
		p->format[k->i] = is_bytes;
		p->length[k->i] = (int)len;
		if (v != NULL) {
			dst = p->bytes + k->used;
			memcpy(dst, v, len);
			dst[len] = '\0';
			if (!is_bytes)
				make_text(dst, len);
			p->value[k->i] = dst;
		}
	}
	if (v != NULL)
		k->used += len + 1;
	k->i++;
}

static void
put_number(struct sink *k, unsigned type, int64_t v)
{
	char	s[24];

	snprintf(s, sizeof(s), "%" PRId64, v);
	put(k, type, s, strlen(s), 0);
}

static int
put_next(struct sink *k, char type, va_list *ap)
{
	const char	*s;
	int64_t		 v;

	switch (type) {
	case 't':
	case 'T':
	case 'U':
		s = va_arg(*ap, const char *);
		if (type == 't' && s[0] == '\0')
			s = NULL;
		put(k, type == 'U' ? OID_UUID : OID_TEXT, s,
		    s != NULL ? strlen(s) : 0, 0);
		return (0);
	case 'j':
	case 'b':
		s = va_arg(*ap, const char *);
		put(k, type == 'b' ? OID_BYTES : OID_TEXT, s,
		    va_arg(*ap, size_t), type == 'b');
		return (0);
	case 'u':
		if ((v = va_arg(*ap, int64_t)) == AUDIT_UNSAID)
			put(k, OID_INT8, NULL, 0, 0);
		else
			put_number(k, OID_INT8, v);
		return (0);
	case 'i':
		put_number(k, OID_INT8, va_arg(*ap, int64_t));
		return (0);
	case 'n':
		put_number(k, OID_INT4, va_arg(*ap, int));
		return (0);
	}
	return (-1);
}

static int
put_all(struct params *p, const char *types, va_list ap)
{
	struct sink	k = { .p = p };
	va_list		again;
	int		r = 0;

	va_copy(again, ap);
	for (; *types != '\0' && r == 0; types++)
		r = k.i < PARAMS_MAX ? put_next(&k, *types, &again) : -1;
	va_end(again);
	p->n = k.i;
	p->size = k.used + 1;
	return (r);
}

struct params *
params_new(const char *types, va_list ap)
{
	struct params	*p = calloc(1, sizeof(*p));

	if (p == NULL)
		return (NULL);
	if (put_all(p, types, ap) == 0 &&
	    (p->bytes = malloc(p->size)) != NULL) {
		(void)put_all(p, types, ap);
		return (p);
	}
	free(p);
	return (NULL);
}

struct params *
params_of(const char *types, ...)
{
	struct params	*p;
	va_list		 ap;

	va_start(ap, types);
	p = params_new(types, ap);
	va_end(ap);
	return (p);
}

void
params_free(struct params *p)
{
	if (p == NULL)
		return;
	freezero(p->bytes, p->size);
	free(p);
}
