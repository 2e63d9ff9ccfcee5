/* SPDX-License-Identifier: ISC */
#include <sodium.h>
#include <string.h>

#include "cookie.h"
#include "cookie_int.h"
#include "hdr.h"
#include "sieve.h"

#define PREFIX_LEN	(sizeof(SIEVE_PREFIX) - 1)
#define HASH_BYTES	16
#define HASH_SIZE	sodium_base64_ENCODED_LEN(HASH_BYTES,		\
			    sodium_base64_VARIANT_URLSAFE_NO_PADDING)
/* Browsers take no longer name and value together: RFC 6265bis, 5.7. */
#define COOKIE_MAX	4096

static const struct slice	root = { "/", 1 };

static int
slice_same(const struct slice *a, const struct slice *b)
{
	return (a->len == b->len && memcmp(a->s, b->s, a->len) == 0);
}

static int
begins(const struct slice *v, const char *s, size_t len)
{
	return (v->len >= len && memcmp(v->s, s, len) == 0);
}

static void
hash_of(const struct slice *value, char out[HASH_SIZE])
{
	unsigned char	h[HASH_BYTES];

	crypto_generichash(h, sizeof(h), (const unsigned char *)value->s,
	    value->len, NULL, 0);
	sodium_bin2base64(out, HASH_SIZE, h, sizeof(h),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* ---- a path in a name ---- */

static int
is_safe(char c)
{
	return ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_');
}

static void
put_path(struct out *o, const struct slice *path)
{
	static const char	hex[] = "0123456789ABCDEF";
	char			text[3] = "%";
	size_t			i;

	for (i = 0; i < path->len; i++) {
		if (path->s[i] == '/')
			out_lit(o, "!");
		else if (is_safe(path->s[i]))
			out_put(o, &path->s[i], 1);
		else {
			text[1] = hex[(unsigned char)path->s[i] >> 4];
			text[2] = hex[(unsigned char)path->s[i] & 15];
			out_put(o, text, 3);
		}
	}
	out_lit(o, "~");
}

static int
unhex(char c)
{
	return (c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ?
	    c - 'A' + 10 : -1);
}

/* The path that put_path() wrote. Its length, 0 for none of ours. */
static size_t
take_path(const struct slice *enc, char out[SIEVE_PATH_MAX])
{
	size_t	i, n = 0;

	for (i = 0; i < enc->len; i++) {
		if (n == SIEVE_PATH_MAX)
			return (0);
		if (enc->s[i] == '!')
			out[n++] = '/';
		else if (enc->s[i] != '%')
			out[n++] = enc->s[i];
		else {
			if (enc->len - i < 3 || unhex(enc->s[i + 1]) == -1 ||
			    unhex(enc->s[i + 2]) == -1)
				return (0);
			out[n++] = (char)(unhex(enc->s[i + 1]) << 4 |
			    unhex(enc->s[i + 2]));
			i += 2;
		}
	}
	return (n);
}

/* RFC 6265, 5.1.4 */
static int
path_matches(const struct slice *asked, const char *path, size_t len)
{
	return (begins(asked, path, len) && (asked->len == len ||
	    path[len - 1] == '/' || asked->s[len] == '/'));
}

struct slice
sieve_dir(const struct slice *path)
{
	struct slice	dir = *path;

	if (dir.len == 0 || dir.s[0] != '/')
		return (root);
	while (dir.s[dir.len - 1] != '/')
		dir.len--;
	if (dir.len > 1)
		dir.len--;
	return (dir);
}

/* ---- what a browser sends ---- */

/*
 * Take `[!path~]NAME=.VALUE` behind the prefix apart; rank 0: it is for another
 * path. 0: it is none of ours.
 */
static int
take_kept(struct sieve_item *it, const struct slice *asked)
{
	char		 path[SIEVE_PATH_MAX];
	struct slice	 enc = it->name;
	const char	*end;

	if (it->value.len == 0 ||
	    (it->value.s[0] != '.' && it->value.s[0] != '#'))
		return (0);
	it->kind = it->value.s[0] == '.' ? SIEVE_KEPT : SIEVE_MARK;
	it->value.s++;
	it->value.len--;
	it->rank = 1;
	if (enc.len == 0 || enc.s[0] != '!')
		return (1);
	if ((end = memchr(enc.s, '~', enc.len)) == NULL)
		return (0);
	enc.len = (size_t)(end - enc.s);
	it->name.s = end + 1;
	it->name.len -= enc.len + 1;
	if ((it->rank = take_path(&enc, path)) == 0)
		return (0);
	if (!path_matches(asked, path, it->rank))
		it->rank = 0;
	return (1);
}

static void
take_item(struct sieve *s, const struct slice *piece, const struct slice *asked)
{
	struct sieve_item	*it = &s->item[s->n];
	const char		*eq = memchr(piece->s, '=', piece->len);

	memset(it, 0, sizeof(*it));
	it->name = *piece;
	it->name.len = eq != NULL ? cookie_name_len(piece) : 0;
	it->value = *piece;
	if (eq != NULL) {
		it->value.s = eq + 1;
		it->value.len = (size_t)(piece->s + piece->len - it->value.s);
		slice_trim(&it->value);
	}
	it->kind = SIEVE_PLAIN;
	if (cookie_is_ours(piece))
		it->kind = SIEVE_OURS;
	else if (begins(&it->name, SIEVE_PREFIX, PREFIX_LEN)) {
		it->name.s += PREFIX_LEN;
		it->name.len -= PREFIX_LEN;
		if (!take_kept(it, asked))
			return;
	} else if (begins(&it->name, "__Host-", 7))
		it->kind = SIEVE_HOST;
	s->n++;
}

/* As those see it who read names in their own ways: PHP, for one. */
static char
folded(char c)
{
	if (c >= 'A' && c <= 'Z')
		return ((char)(c | 0x20));
	return ((char)(c == '.' || c == '[' || c == ' ' ? '_' : c));
}

static int
alike(const struct slice *a, const struct slice *b)
{
	size_t	i;

	if (a->len != b->len)
		return (0);
	for (i = 0; i < a->len; i++)
		if (folded(a->s[i]) != folded(b->s[i]))
			return (0);
	return (1);
}

/* RFC 6265's token, and none of RFC 2965's own, as $Version. */
static int
is_name(const struct slice *name)
{
	size_t	i;

	for (i = 0; i < name->len; i++)
		if (name->s[i] <= ' ' || name->s[i] >= 127 ||
		    strchr("()<>@,;:\\\"/[]?={}", name->s[i]) != NULL)
			return (0);
	return (name->len > 0 && name->s[0] != '$');
}

/* Could it be read as more than one, or swallow those behind it? */
static int
is_one(const struct slice *value)
{
	size_t	i;
	int	quoted = 0;

	for (i = 0; i < value->len; i++) {
		if (value->s[i] == '"')
			quoted = !quoted;
		if (value->s[i] == ',' && quoted)
			return (0);
	}
	return (!quoted);
}

/* Does this plain cookie go? */
static int
plain_goes(const struct sieve *s, struct sieve_item *it, int how)
{
	const struct sieve_item	*j;
	char			 hash[HASH_SIZE];
	int			 others = 0, known = 0;

	if (!(how & SIEVE_KNOWN))
		return (0);
	hash_of(&it->value, hash);
	for (j = s->item; j < s->item + s->n; j++) {
		if (j == it || j->kind == SIEVE_OURS ||
		    !alike(&j->name, &it->name))
			continue;
		if (!slice_same(&j->name, &it->name)) {
			others++;
			continue;
		}
		others += j->kind != SIEVE_MARK;
		if (j->kind == SIEVE_MARK && slice_eq(&j->value, hash))
			known = 1;
		/* Twice the same says nothing more. */
		if (j < it && j->kind == SIEVE_PLAIN &&
		    slice_same(&j->value, &it->value))
			return (0);
	}
	it->script = !known && (how & SIEVE_SCRIPTS) && others == 0 &&
	    is_name(&it->name) && is_one(&it->value);
	return (known || it->script);
}

/* Those that are certain, or the others. 0: there was no room for all. */
static int
take_all(struct sieve *s, const struct httphead *h, int plain)
{
	struct slice	 piece;
	const char	*p = NULL;
	size_t		 field = 0;

	while (cookie_next(h, &field, &p, &piece)) {
		if (piece.len == 0 || plain == begins(&piece, "__Host-", 7))
			continue;
		if (s->n == SIEVE_MAX)
			return (0);
		take_item(s, &piece, &h->path);
	}
	return (1);
}

void
sieve_read(struct sieve *s, const struct httphead *h, int how)
{
	struct sieve_item	*it;

	s->n = 0;
	if (!take_all(s, h, 0) || !take_all(s, h, 1))
		how &= ~SIEVE_SCRIPTS;
	for (it = s->item; it < s->item + s->n; it++)
		it->goes = it->kind == SIEVE_HOST ||
		    (it->kind == SIEVE_KEPT && it->rank > 0) ||
		    (it->kind == SIEVE_PLAIN && plain_goes(s, it, how));
}

/* Of those with this one's name, the first with the longest path. */
static struct sieve_item *
longest(struct sieve *s, struct sieve_item *it)
{
	struct sieve_item	*j, *best = it;

	if (it->kind != SIEVE_KEPT)
		return (it);
	for (j = it + 1; j < s->item + s->n; j++)
		if (j->kind == SIEVE_KEPT && j->goes &&
		    slice_same(&j->name, &it->name) && j->rank > best->rank)
			best = j;
	return (best);
}

void
sieve_put(struct out *o, struct sieve *s)
{
	struct sieve_item	*it, *next;
	int			 n = 0;

	for (it = s->item; it < s->item + s->n;) {
		if (!it->goes) {
			it++;
			continue;
		}
		next = longest(s, it);
		next->goes = 0;
		if (n++ == 0)
			out_lit(o, "Cookie: ");
		else
			out_lit(o, "; ");
		out_put(o, next->name.s, next->name.len);
		if (next->value.s > next->name.s)
			out_lit(o, "=");
		out_put(o, next->value.s, next->value.len);
	}
	if (n > 0)
		out_lit(o, "\r\n");
}

/* ---- what a service sets ---- */

struct attrs {
	struct slice	path;
	int		http_only, same_site;
};

/* Look at the attributes; the last of a name counts. */
static void
read_attrs(struct attrs *a, const char *p, const char *end,
    const struct slice *dir)
{
	struct slice	piece;
	const char	*eq;

	memset(a, 0, sizeof(*a));
	a->path = *dir;
	while (cookie_piece(&p, end, &piece)) {
		if (cookie_attr_is(&piece, "httponly"))
			a->http_only = 1;
		else if (cookie_attr_is(&piece, "samesite"))
			a->same_site = 1;
		else if (cookie_attr_is(&piece, "path")) {
			a->path = *dir;
			if ((eq = memchr(piece.s, '=', piece.len)) == NULL)
				continue;
			piece.len -= (size_t)(eq + 1 - piece.s);
			piece.s = eq + 1;
			slice_trim(&piece);
			if (piece.len > 0 && piece.s[0] == '/')
				a->path = piece;
		}
	}
	if (a->path.len > SIEVE_PATH_MAX)
		a->path = root;
}

static void
put_attrs(struct out *o, const struct attrs *a, const char *p, const char *end)
{
	struct slice	piece;

	while (cookie_piece(&p, end, &piece)) {
		if (piece.len == 0 || cookie_attr_is(&piece, "httponly") ||
		    cookie_attr_is(&piece, "path") ||
		    cookie_attr_is(&piece, "domain") ||
		    cookie_attr_is(&piece, "secure") ||
		    cookie_attr_is(&piece, "priority"))
			continue;
		out_lit(o, "; ");
		out_put(o, piece.s, piece.len);
	}
	out_lit(o, "; Path=/; Secure; HttpOnly; " SIEVE_PRIORITY);
	if (!a->same_site)
		out_lit(o, "; SameSite=Lax");
	out_lit(o, "\r\n");
}

void
sieve_vouch(struct out *o, const struct sieve_item *it)
{
	char	hash[HASH_SIZE];

	hash_of(&it->value, hash);
	out_lit(o, "Set-Cookie: " SIEVE_PREFIX);
	if (it->name.len > 0 && it->name.s[0] == '!')
		put_path(o, &root);
	out_put(o, it->name.s, it->name.len);
	out_lit(o, "=#");
	out_str(o, hash);
	out_lit(o, "; Path=/; Secure; HttpOnly; " SIEVE_PRIORITY
	    "; SameSite=Lax\r\n");
}

/* As cookie_set() has it. */
static void
put_plain(struct out *o, const struct slice *v)
{
	if (o->cap - o->len < v->len + COOKIE_SET_MORE + 14) {
		o->over = 1;
		return;
	}
	out_lit(o, "Set-Cookie: ");
	o->len += cookie_set(v, 1, o->p + o->len);
	out_lit(o, "\r\n");
}

void
sieve_set(struct out *o, const struct slice *v, const struct slice *dir)
{
	const char	*p = v->s, *end = v->s + v->len, *eq;
	struct slice	 piece, name, value;
	struct attrs	 a;
	char		 hash[HASH_SIZE];
	size_t		 at = o->len;

	if (!cookie_piece(&p, end, &piece) || piece.len == 0 ||
	    cookie_is_ours(&piece) || begins(&piece, SIEVE_PREFIX, PREFIX_LEN))
		return;
	eq = memchr(piece.s, '=', piece.len);
	name.s = piece.s;
	name.len = eq != NULL ? cookie_name_len(&piece) : 0;
	if (name.len == 0 || begins(&name, "__Host-", 7)) {
		put_plain(o, v);
		return;
	}
	value.s = eq + 1;
	value.len = (size_t)(piece.s + piece.len - value.s);
	slice_trim(&value);
	read_attrs(&a, p, end, dir);
	if (!a.http_only)
		put_plain(o, v);
	out_lit(o, "Set-Cookie: " SIEVE_PREFIX);
	if (a.path.len > 1 || name.s[0] == '!')
		put_path(o, &a.path);
	out_put(o, name.s, name.len);
	if (a.http_only) {
		out_lit(o, "=.");
		out_put(o, value.s, value.len);
	} else {
		hash_of(&value, hash);
		out_lit(o, "=#");
		out_str(o, hash);
	}
	if (a.http_only && o->len - at > COOKIE_MAX + 12 + 1) {
		/* No browser takes that much; as it was it may. */
		o->len = at;
		put_plain(o, v);
	} else
		put_attrs(o, &a, p, end);
}
