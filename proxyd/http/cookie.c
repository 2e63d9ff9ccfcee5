/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "base/reference.h"
#include "base/wipe.h"
#include "cookie.h"
#include "cookie_int.h"

#define PAYLOAD_MAX	TOKEN_SIZE

static double	token_expires(const struct slice *);

int
cookie_piece(const char **p, const char *end, struct slice *piece)
{
	const char	*semi;

	if (*p == NULL || *p > end)
		return (0);
	semi = *p < end ? memchr(*p, ';', (size_t)(end - *p)) : NULL;
	piece->s = *p;
	piece->len = (size_t)((semi != NULL ? semi : end) - *p);
	*p = semi != NULL ? semi + 1 : NULL;
	while (piece->len > 0 && (*piece->s == ' ' || *piece->s == '\t')) {
		piece->s++;
		piece->len--;
	}
	while (piece->len > 0 && (piece->s[piece->len - 1] == ' ' ||
	    piece->s[piece->len - 1] == '\t'))
		piece->len--;
	return (1);
}

size_t
cookie_name_len(const struct slice *piece)
{
	const char	*eq = memchr(piece->s, '=', piece->len);
	size_t		 n = eq != NULL ? (size_t)(eq - piece->s) : piece->len;

	while (n > 0 && (piece->s[n - 1] == ' ' || piece->s[n - 1] == '\t'))
		n--;
	return (n);
}

int
cookie_is_ours(const struct slice *piece)
{
	struct slice	p = *piece;

	while (p.len > 0 && (*p.s == '=' || *p.s == ' ' || *p.s == '\t')) {
		p.s++;
		p.len--;
	}
	if (p.len > 7 && strncasecmp(p.s, "__Host-", 7) == 0) {
		p.s += 7;
		p.len -= 7;
	}
	return (cookie_name_len(&p) >= sizeof(COOKIE_NAME) - 1 &&
	    strncasecmp(p.s, COOKIE_NAME, sizeof(COOKIE_NAME) - 1) == 0);
}

int
cookie_attr_is(const struct slice *piece, const char *name)
{
	return (cookie_name_len(piece) == strlen(name) &&
	    strncasecmp(piece->s, name, strlen(name)) == 0);
}

/* Exactly `name=value`, or with a slug `name_slug=value`; the value in *out. */
static int
value_of(const struct slice *piece, const char *name, const char *slug,
    struct slice *out)
{
	size_t	n = strlen(name);

	if (piece->len <= n || memcmp(piece->s, name, n) != 0)
		return (0);
	if (slug != NULL) {
		if (piece->len <= n + SLUG_SIZE || piece->s[n] != '_' ||
		    memcmp(piece->s + n + 1, slug, SLUG_SIZE - 1) != 0)
			return (0);
		n += SLUG_SIZE;
	}
	if (piece->s[n] != '=')
		return (0);
	out->s = piece->s + n + 1;
	out->len = piece->len - n - 1;
	return (out->len > 0 && out->len < TOKEN_SIZE);
}

int
cookie_next(const struct httphead *h, size_t *field, const char **p,
    struct slice *piece)
{
	const struct slice	*v;

	for (; *field < h->nfields; (*field)++) {
		if (!httphead_is(&h->field[*field], "cookie"))
			continue;
		v = &h->field[*field].value;
		if (*p == NULL)
			*p = v->s;
		if (*p != v->s + v->len + 1 &&
		    cookie_piece(p, v->s + v->len, piece)) {
			if (*p == NULL)
				*p = v->s + v->len + 1;
			return (1);
		}
		*p = NULL;
	}
	return (0);
}

static size_t
tokens_named(const struct httphead *h, const char *name, const char *slug,
    const char *session, struct slice out[COOKIE_TRIES], size_t n)
{
	struct slice	 piece;
	const char	*p = NULL;
	size_t		 field = 0;

	while (n < COOKIE_TRIES && cookie_next(h, &field, &p, &piece))
		if (value_of(&piece, name, slug, &out[n]) &&
		    (session == NULL || cookie_token_is_for(&out[n], session)))
			n++;
	return (n);
}

size_t
cookie_tokens(const struct httphead *h, const char *slug,
    struct slice out[COOKIE_TRIES])
{
	size_t	n;

	n = tokens_named(h, COOKIE_HOST, NULL, NULL, out, 0);
	n = tokens_named(h, COOKIE_NAME, slug, NULL, out, n);
	return (n > 0 ? n : tokens_named(h, COOKIE_NAME, NULL, slug, out, 0));
}

int
cookie_lacks(const struct httphead *h, const char *slug, int plain)
{
	struct slice	out[COOKIE_TRIES];
	int		lacks = 0;

	if (tokens_named(h, plain ? COOKIE_NAME : COOKIE_HOST, NULL,
	    plain ? slug : NULL, out, 0) == 0)
		lacks |= COOKIE_LACKS_HOST;
	if (tokens_named(h, COOKIE_NAME, slug, NULL, out, 0) == 0)
		lacks |= COOKIE_LACKS_DOMAIN;
	return (lacks);
}

/* Is it one of ours for a session other than `slug`? Its name then. */
static int
other_session(const struct slice *piece, const char *slug, struct slice *name)
{
	size_t	i, n = sizeof(COOKIE_NAME) - 1;

	name->s = piece->s;
	name->len = cookie_name_len(piece);
	if (name->len != n + SLUG_SIZE || piece->s[n] != '_' ||
	    memcmp(piece->s, COOKIE_NAME, n) != 0 ||
	    memcmp(piece->s + n + 1, slug, SLUG_SIZE - 1) == 0)
		return (0);
	for (i = n + 1; i < name->len; i++)
		if (strchr("0123456789abcdef", piece->s[i]) == NULL)
			return (0);
	return (1);
}

size_t
cookie_ends(const struct httphead *h, const char *slug,
    struct slice names[COOKIE_ENDS])
{
	struct {
		struct slice	name;
		double		expires;
	} kept[COOKIE_SESSIONS], one, swap;
	struct slice	 piece, value;
	const char	*p = NULL;
	size_t		 field = 0, i, nkept = 0, n = 0;

	while (n < COOKIE_ENDS && cookie_next(h, &field, &p, &piece)) {
		if (!other_session(&piece, slug, &one.name))
			continue;
		value.s = one.name.s + one.name.len + 1;
		value.len = piece.len > one.name.len ?
		    piece.len - one.name.len - 1 : 0;
		one.expires = token_expires(&value);
		/* The newest stand first; the last one gives way. */
		for (i = 0; i < nkept; i++)
			if (one.expires > kept[i].expires) {
				swap = kept[i];
				kept[i] = one;
				one = swap;
			}
		if (nkept < COOKIE_SESSIONS - 1 && one.expires > 0)
			kept[nkept++] = one;
		else
			names[n++] = one.name;
	}
	return (n);
}

size_t
cookie_strip(const struct slice *v, char *out)
{
	struct slice	 piece;
	const char	*p = v->s, *from;
	size_t		 n = 0;
	int		 dropped = 0, kept = 0;

	if (v->s == NULL || v->len == 0)
		return (0);
	while ((from = p) != NULL && cookie_piece(&p, v->s + v->len, &piece)) {
		if (cookie_is_ours(&piece)) {
			dropped = 1;
			continue;
		}
		if (piece.len == 0)
			continue;
		if (!kept++)
			from = piece.s;
		else
			out[n++] = ';';
		memcpy(out + n, from, (size_t)(piece.s + piece.len - from));
		n += (size_t)(piece.s + piece.len - from);
	}
	if (!dropped) {
		memcpy(out, v->s, v->len);
		return (v->len);
	}
	return (n);
}

/* Whether the value of this piece, `name=value`, is that word. */
static int
value_is(const struct slice *piece, const char *word)
{
	struct slice	 v = *piece;
	const char	*eq = memchr(v.s, '=', v.len);

	if (eq == NULL)
		return (0);
	v.len -= (size_t)(eq + 1 - v.s);
	v.s = eq + 1;
	slice_trim(&v);
	return (slice_caseeq(&v, word));
}

/*
 * Does a browser keep a cookie with this attribute only if it came by https?
 * A service with TLS sets them rightly, as it is asked by https.
 */
static int
needs_https(const struct slice *piece)
{
	return (cookie_attr_is(piece, "secure") ||
	    cookie_attr_is(piece, "partitioned") ||
	    (cookie_attr_is(piece, "samesite") && value_is(piece, "none")));
}

size_t
cookie_set(const struct slice *v, int secure, char *out)
{
	struct slice	 piece;
	const char	*p = v->s, *from;
	size_t		 n = 0, len;
	int		 first = 1, has_secure = 0, has_same = 0;

	while ((from = p) != NULL && cookie_piece(&p, v->s + v->len, &piece)) {
		if (first && (piece.len == 0 || cookie_is_ours(&piece)))
			return (0);
		if (!first && (cookie_attr_is(&piece, "domain") ||
		    (!secure && needs_https(&piece))))
			continue;
		if (!first && cookie_attr_is(&piece, "secure"))
			has_secure = 1;
		if (!first && cookie_attr_is(&piece, "samesite"))
			has_same = 1;
		len = (size_t)((p != NULL ? p - 1 : v->s + v->len) - from);
		if (!first)
			out[n++] = ';';
		memcpy(out + n, from, len);
		n += len;
		first = 0;
	}
	if (secure && !has_secure) {
		memcpy(out + n, "; Secure", 8);
		n += 8;
	}
	if (!has_same) {
		memcpy(out + n, "; SameSite=Lax", 14);
		n += 14;
	}
	return (n);
}

/* Compare a session id with a slug: the same without dashes, in any case. */
static int
session_is(const char *session, const char *slug)
{
	for (; *session != '\0'; session++) {
		if (*session == '-')
			continue;
		if (*slug == '\0' || (*session | 0x20) != (*slug | 0x20))
			return (0);
		slug++;
	}
	return (*slug == '\0');
}

/* What is in the middle of it, if anything is; cJSON_Delete() it. */
static cJSON *
token_payload(const struct slice *token)
{
	static char	 text[PAYLOAD_MAX];
	const char	*dot, *dot2, *end = token->s + token->len;
	cJSON		*doc;
	size_t		 len;

	if (token->len >= TOKEN_SIZE ||
	    (dot = memchr(token->s, '.', token->len)) == NULL ||
	    (dot2 = memchr(dot + 1, '.', (size_t)(end - dot - 1))) == NULL ||
	    memchr(dot2 + 1, '.', (size_t)(end - dot2 - 1)) != NULL)
		return (NULL);
	if (sodium_base642bin((unsigned char *)text, sizeof(text), dot + 1,
	    (size_t)(dot2 - dot - 1), NULL, &len, NULL,
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING) == -1)
		return (NULL);
	doc = cJSON_ParseWithLength(text, len);
	sodium_memzero(text, len);
	return (doc);
}

/* When it says that it ends; 0: it is no token. */
static double
token_expires(const struct slice *token)
{
	struct reference	 r;
	cJSON			*doc;
	const cJSON		*exp;
	double			 n;

	if (reference_read(token->s, token->len, &r) == 0)
		return (r.expires);
	doc = token_payload(token);
	exp = cJSON_GetObjectItemCaseSensitive(doc, "exp");
	/* Nor is one ended that there was no memory to look at. */
	n = cJSON_IsNumber(exp) ? exp->valuedouble :
	    doc == NULL && wipe_lacks() ? 1 : 0;
	cJSON_Delete(doc);
	return (n);
}

static int
proxy_token_is_for(const struct slice *token, const char *slug)
{
	cJSON		*doc = token_payload(token);
	const cJSON	*type, *session;
	int		 yes;

	type = cJSON_GetObjectItemCaseSensitive(doc, "token_type");
	session = cJSON_GetObjectItemCaseSensitive(doc, "session_id");
	yes = cJSON_IsString(type) && cJSON_IsString(session) &&
	    strcmp(type->valuestring, "proxy") == 0 &&
	    session_is(session->valuestring, slug);
	cJSON_Delete(doc);
	return (yes);
}

int
cookie_token_is_for(const struct slice *token, const char *slug)
{
	struct reference	r;
	uint8_t			session[sizeof(r.session)];

	if (reference_read(token->s, token->len, &r) == 0)
		return (reference_session(slug, session) == 0 &&
		    memcmp(session, r.session, sizeof(session)) == 0);
	return (proxy_token_is_for(token, slug));
}

int
cookie_query_token(const struct slice *query, const char *slug,
    struct slice *token)
{
	const char	*p, *amp, *end;

	if (query->s == NULL)
		return (0);
	end = query->s + query->len;
	for (p = query->s; p < end; p = amp + 1) {
		if ((amp = memchr(p, '&', (size_t)(end - p))) == NULL)
			amp = end;
		if (amp - p > 6 && memcmp(p, "token=", 6) == 0) {
			token->s = p + 6;
			token->len = (size_t)(amp - p - 6);
			if (proxy_token_is_for(token, slug))
				return (1);
		}
	}
	return (0);
}

long
cookie_redirect(const struct slice *path, const struct slice *query,
    const struct slice *token, char *out, size_t size)
{
	const char	*p = path->s, *pend = path->s + path->len;
	const char	*cut, *after, *qend = query->s + query->len;
	size_t		 n = 0, before;

	if (path->len + query->len + 2 > size)
		return (-1);
	while (p < pend && (*p == '/' || *p == '\\'))
		p++;
	out[n++] = '/';
	memcpy(out + n, p, (size_t)(pend - p));
	n += (size_t)(pend - p);

	/* Cut `token=...` with one of the '&' around it. */
	cut = token->s - 6;
	after = token->s + token->len;
	if (after < qend)
		after++;
	else if (cut > query->s)
		cut--;
	before = (size_t)(cut - query->s);
	if (before + (size_t)(qend - after) == 0)
		return ((long)n);
	out[n++] = '?';
	memcpy(out + n, query->s, before);
	n += before;
	memcpy(out + n, after, (size_t)(qend - after));
	n += (size_t)(qend - after);
	return ((long)n);
}
