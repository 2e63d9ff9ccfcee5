/* SPDX-License-Identifier: ISC */
/*
 * A host name in a text is a whole word of the text, where a word goes on over
 * a dot between two letters or digits. So the text is cut into words, and each
 * is looked up: no host can match inside another, the order of the hosts plays
 * no part, and a byte is looked at a fixed number of times.
 */
#include <sodium.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rewrite.h"

#define NAME_MAX_LEN	(HTTPHEAD_HOST_SIZE - 1)
#define PORT_AHEAD	8	/* :65535 and two bytes behind it */
#define ESCAPES_MAX	4	/* backslashes before a slash */
#define HIT_MAX		(LABEL_DNS_SIZE + sizeof(((struct rewrite *)0)->suffix))

#define WORD		1	/* in a word */
#define ALNUM		2	/* a dot between two of these, too */

/* A service under one of its names, with or without a port. */
struct key {
	const char	*name;
	const char	*label;
	uint32_t	 hash;
	uint16_t	 len, port;	/* port 0: none, 80 or 443 */
	int		 slashes;	/* a name only behind slashes */
};

struct rewrite {
	uint8_t		 sip_key[crypto_shorthash_KEYBYTES];
	unsigned char	 class[256];
	unsigned char	 lens[NAME_MAX_LEN + 1];	/* names so long? */
	char		 suffix[SLUG_SIZE + HTTPHEAD_HOST_SIZE + 16];
	size_t		 suffix_len;
	int		 secure;	/* the browser comes by https */
	size_t		 mask;		/* places - 1 */
	char		*text;		/* names and labels */
	size_t		 text_len;
	struct key	 key[];
};

/* ---- which bodies ---- */

/* `in` has the letters of `what`, in any case. */
static int
has(const struct slice *in, const char *what)
{
	size_t	n = strlen(what), i;

	for (i = 0; i + n <= in->len; i++)
		if (strncasecmp(in->s + i, what, n) == 0)
			return (1);
	return (0);
}

static int
type_fits(const struct slice *type)
{
	const char	*semi = memchr(type->s, ';', type->len);
	struct slice	 t = *type;

	if (semi != NULL)
		t.len = (size_t)(semi - t.s);
	slice_trim(&t);
	return (slice_caseeq(&t, "text/html") || slice_caseeq(&t, "text/css") ||
	    (has(&t, "javascript") && !has(&t, "json")));
}

/* The only field of this name, NULL if there is none; 0, or -1: several. */
static int
only(const struct httphead *h, const char *name, const struct slice **v)
{
	size_t	i;

	*v = NULL;
	for (i = 0; i < h->nfields; i++) {
		if (!httphead_is(&h->field[i], name))
			continue;
		if (*v != NULL)
			return (-1);
		*v = &h->field[i].value;
	}
	return (0);
}

/* May a browser, and so we, look at a body without a type for what it is? */
static int
may_sniff(const struct httphead *h)
{
	const struct slice	*v;

	return (only(h, "x-content-type-options", &v) == 0 &&
	    (v == NULL || !has(v, "nosniff")));
}

enum rewrite_kind
rewrite_kind(const struct httphead *h)
{
	const struct slice	*v;
	int			 typed;

	if (h->status < 200 || h->status > 299 || h->status == 204 ||
	    h->status == 206 || only(h, "content-type", &v) == -1)
		return (REWRITE_NONE);
	typed = v != NULL && v->len > 0;
	if (typed ? !type_fits(v) : !may_sniff(h))
		return (REWRITE_NONE);
	if ((h->flags & HTTPHEAD_LENGTH) &&
	    (h->content_length > REWRITE_MAX || h->content_length == 0))
		return (REWRITE_NONE);
	if (only(h, "content-encoding", &v) == -1)
		return (REWRITE_NONE);
	if (v == NULL || v->len == 0 || slice_caseeq(v, "identity"))
		return (typed ? REWRITE_PLAIN : REWRITE_SNIFF);
	if (typed && (slice_caseeq(v, "gzip") || slice_caseeq(v, "x-gzip")))
		return (REWRITE_GZIP);
	return (REWRITE_NONE);
}

/* ---- what is looked for ---- */

static char
lower(char c)
{
	return ((char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c));
}

/* Customers choose the names: nobody can know which places they get. */
static uint32_t
hash_of(const struct rewrite *r, const char *s, size_t len, uint16_t port)
{
	uint8_t		in[NAME_MAX_LEN + sizeof(port)];
	uint8_t		out[crypto_shorthash_BYTES];
	uint32_t	h;
	size_t		i;

	for (i = 0; i < len; i++)
		in[i] = (uint8_t)lower(s[i]);
	memcpy(in + len, &port, sizeof(port));
	crypto_shorthash(out, in, len + sizeof(port), r->sip_key);
	memcpy(&h, out, sizeof(h));
	return (h);
}

/* The key of this name and port, or the free place where it would be. */
static struct key *
key_at(const struct rewrite *r, const char *name, size_t len, uint16_t port,
    uint32_t hash)
{
	const struct key	*k;
	size_t			 i;

	for (i = hash & r->mask;; i = (i + 1) & r->mask) {
		k = &r->key[i];
		if (k->name == NULL || (k->hash == hash && k->len == len &&
		    k->port == port && strncasecmp(k->name, name, len) == 0))
			return ((struct key *)(uintptr_t)k);
	}
}

/* Whoever is first has it. */
static void
key_add(struct rewrite *r, const char *name, uint16_t port, const char *label)
{
	size_t		 len = strlen(name);
	uint32_t	 hash = hash_of(r, name, len, port);
	struct key	*k = key_at(r, name, len, port, hash);

	if (k->name != NULL)
		return;
	k->name = name;
	k->label = label;
	k->hash = hash;
	k->len = (uint16_t)len;
	k->port = port;
	k->slashes = strchr(name, '.') == NULL ||
	    strspn(name, "0123456789.") == len;
	r->lens[len] = 1;
}

/* The labels of a name begin and end with letters and digits. */
static int
is_sane(const struct rewrite *r, const char *name)
{
	const char	*s;

	for (s = name; *s != '\0'; s++)
		if ((s == name || s[-1] == '.' || s[1] == '.' ||
		    s[1] == '\0') && !(r->class[(unsigned char)*s] & ALNUM) &&
		    *s != '.')
			return (0);
	return (1);
}

static const char *
keep(struct rewrite *r, const char *s)
{
	char	*at = r->text + r->text_len;
	size_t	 len = strlen(s) + 1;

	memcpy(at, s, len);
	r->text_len += len;
	return (at);
}

/*
 * A service goes by its host with any port that a server or a front of it may
 * name: another port is another thing.
 */
static void
add_service(struct rewrite *r, const struct service *sv)
{
	char		 name[HTTPHEAD_HOST_SIZE], target[HTTPHEAD_HOST_SIZE];
	struct slice	 v = { sv->host, strlen(sv->host) };
	const char	*kept, *label;
	uint16_t	 port, at;

	if (v.len == 0 || httphead_split_host(&v, name, &port) == -1 ||
	    !is_sane(r, name))
		return;
	kept = keep(r, name);
	label = keep(r, sv->label);
	key_add(r, kept, 0, label);
	if (port != 0)
		key_add(r, kept, port, label);
	v.s = sv->target;
	v.len = strlen(sv->target);
	if (httphead_split_host(&v, target, &at) == 0 && at != 0)
		key_add(r, kept, at, label);
}

static void
classes(struct rewrite *r)
{
	int	c;

	for (c = '0'; c <= 'z'; c++)
		if ((c <= '9') || (c >= 'A' && c <= 'Z') || c >= 'a')
			r->class[c] = WORD | ALNUM;
	r->class['-'] = r->class['_'] = WORD;
}

/* What follows the label in a proxy host. */
static void
suffix_make(struct rewrite *r, const struct urlmap *m)
{
	struct out		 o = { r->suffix, 0, sizeof(r->suffix), 0 };

	urlmap_put_rest(&o, m);
	r->suffix_len = o.len;
	r->secure = strcmp(m->at->scheme, "https") == 0;
}

struct rewrite *
rewrite_new(const struct urlmap *m)
{
	const struct service	*self;
	struct rewrite		*r;
	size_t			 i, n = 0, places = 8;

	for (i = 0; i < m->services.labelled; i++)
		n += m->services.v[i]->host[0] != '\0';
	if (n == 0)
		return (NULL);
	while (places < n * 6)	/* three keys each, half of the places free */
		places *= 2;
	r = calloc(1, sizeof(*r) + places * sizeof(r->key[0]));
	if (r == NULL || (r->text = malloc(n *
	    (HTTPHEAD_HOST_SIZE + LABEL_DNS_SIZE))) == NULL) {
		free(r);
		return (NULL);
	}
	r->mask = places - 1;
	crypto_shorthash_keygen(r->sip_key);
	classes(r);
	suffix_make(r, m);
	self = service_find(&m->services, m->browser->label);
	if (self != NULL)
		add_service(r, self);
	for (i = 0; i < m->services.labelled; i++)
		if (m->services.v[i] != self)
			add_service(r, m->services.v[i]);
	return (r);
}

void
rewrite_free(struct rewrite *r)
{
	if (r != NULL)
		free(r->text);
	free(r);
}

size_t
rewrite_probes(const struct rewrite *r)
{
	size_t	i, run = 0, most = 0;

	for (i = 0; i <= r->mask; i++) {
		run = r->key[i].name != NULL ? run + 1 : 0;
		if (run > most)
			most = run;
	}
	return (most + 1);
}

/* ---- the text ---- */

#define IS(r, c, what)	((r)->class[(unsigned char)(c)] & (what))

/* Does the word that buf[i - 1] is in go on at `i`, a letter or a dot? */
static int
goes_on(const struct rewrite *r, const char *buf, size_t i, size_t len)
{
	if (IS(r, buf[i], WORD))
		return (1);
	return (buf[i] == '.' && i + 1 < len && IS(r, buf[i - 1], ALNUM) &&
	    IS(r, buf[i + 1], ALNUM));
}

static size_t
word_end(const struct rewrite *r, const char *buf, size_t i, size_t len)
{
	do {
		while (i < len && IS(r, buf[i], WORD))
			i++;
	} while (i < len && buf[i] == '.' && goes_on(r, buf, i, len) && ++i);
	return (i);
}

/* Behind the word that buf[from] may be in the midst of. */
static size_t
behind_word(const struct rewrite *r, const char *buf, size_t from, size_t len)
{
	if (from == 0 || from == len || (!IS(r, buf[from], WORD) &&
	    buf[from] != '.'))
		return (from);
	if (IS(r, buf[from - 1], WORD))
		return (word_end(r, buf, from, len));
	if (buf[from - 1] == '.' && from > 1 && IS(r, buf[from], ALNUM) &&
	    IS(r, buf[from - 2], ALNUM))
		return (word_end(r, buf, from, len));
	return (from);
}

/* Two slashes that end at `i`, escaped or not: where they begin, or `i`. */
static size_t
slashes_before(const char *buf, size_t i)
{
	size_t	at = i;
	int	n, escapes;

	for (n = 0; n < 2; n++) {
		if (at == 0 || buf[at - 1] != '/')
			return (i);
		at--;
		for (escapes = 0; escapes < ESCAPES_MAX && at > 0 &&
		    buf[at - 1] == '\\'; escapes++)
			at--;
	}
	return (at);
}

/* What is found, and what around it changes with it. */
struct hit {
	const struct key *key;
	size_t		  s;	/* of "s" or its place, behind http or ws */
	int		  had_s, has_scheme;
	size_t		  host, end;	/* behind the port that goes */
};

/*
 * A scheme that ends at `i`: it gets the security of the browser's own. `news:`
 * is none of them; `\nhttp:` in a script is.
 */
static void
find_scheme(const struct rewrite *r, const char *buf, size_t i, struct hit *h)
{
	static const struct {
		const char	*name;
		size_t		 len;
	} schemes[] = { { "https", 5 }, { "http", 4 }, { "wss", 3 },
	    { "ws", 2 } };
	size_t	n, k;

	for (k = 0; k < 4; k++) {
		n = schemes[k].len;
		if (i < n || strncasecmp(buf + i - n, schemes[k].name, n) != 0)
			continue;
		if (i > n && IS(r, buf[i - n - 1], WORD) &&
		    (i == n + 1 || buf[i - n - 2] != '\\'))
			return;
		h->had_s = k % 2 == 0;
		h->s = i - (size_t)h->had_s;
		h->has_scheme = 1;
		return;
	}
}

/* The port at `i`, 0 if there is none; *end is behind it. */
static uint16_t
port_at(const struct rewrite *r, const char *buf, size_t i, size_t len,
    size_t *end)
{
	unsigned int	port = 0;
	size_t		at = i + 1;

	*end = i;
	if (i >= len || buf[i] != ':')
		return (0);
	for (; at < len && at < i + 6 && buf[at] >= '0' && buf[at] <= '9'; at++)
		port = port * 10 + (unsigned int)(buf[at] - '0');
	if (at == i + 1 || port == 0 || port > 65535 ||
	    (at < len && goes_on(r, buf, at, len)))
		return (0);
	*end = at;
	return (port == 80 || port == 443 ? 0 : (uint16_t)port);
}

/* Is the word from `s` to `e` a host that is looked for? */
static int
find(const struct rewrite *r, const char *buf, size_t s, size_t e, size_t len,
    struct hit *h)
{
	size_t		 n = e - s, slashes;
	uint16_t	 port = port_at(r, buf, e, len, &h->end);
	uint32_t	 hash = hash_of(r, buf + s, n, port);

	h->key = key_at(r, buf + s, n, port, hash);
	if (h->key->name == NULL)
		return (0);
	/* An address for mail is no host's. */
	if (s > 0 && buf[s - 1] == '@')
		return (0);
	slashes = slashes_before(buf, s);
	if (h->key->slashes && slashes == s)
		return (0);
	h->host = s;
	h->has_scheme = 0;
	if (slashes < s && slashes > 0 && buf[slashes - 1] == ':')
		find_scheme(r, buf, slashes - 1, h);
	return (1);
}

static void
put(struct rewrite_out *o, const char *s, size_t len)
{
	if (o->p != NULL)
		memcpy(o->p + o->len, s, len);
	o->len += len;
}

/* As much of it as there is room for. */
static size_t
put_some(struct rewrite_out *o, const char *s, size_t len)
{
	if (len > o->cap - o->len)
		len = o->cap - o->len;
	put(o, s, len);
	return (len);
}

/* Everything from `pend` to the end of the hit. */
static void
put_hit(const struct rewrite *r, const char *buf, size_t pend,
    const struct hit *h, struct rewrite_out *o)
{
	if (h->has_scheme && h->had_s != r->secure && h->s > pend) {
		put(o, buf + pend, h->s - pend);
		if (r->secure)
			put(o, "s", 1);
		pend = h->s + (size_t)h->had_s;
	}
	put(o, buf + pend, h->host - pend);
	put(o, h->key->label, strlen(h->key->label));
	put(o, r->suffix, r->suffix_len);
	o->hits++;
}

/* Where to stop when the word from `s` is not all there, or nothing is. */
static size_t
stop_before(size_t s, size_t pend)
{
	return (s < pend + REWRITE_BEHIND ? pend : s - REWRITE_BEHIND);
}

size_t
rewrite_run(const struct rewrite *r, const char *buf, size_t from, size_t len,
    int last, struct rewrite_out *o)
{
	size_t		pend = from, s, e, room = o->cap - o->len, stop;
	struct hit	h;

	if (room < REWRITE_ROOM)
		return (from);
	/* No more is looked at than finds room as it is. */
	if (len - from > room - HIT_MAX) {
		len = from + room - HIT_MAX;
		last = 0;
	}
	stop = last ? len : stop_before(len, pend);
	for (s = behind_word(r, buf, from, len);; s = e) {
		while (s < len && !IS(r, buf[s], WORD))
			s++;
		if (s == len)
			break;
		e = word_end(r, buf, s, len);
		if (e - s > NAME_MAX_LEN)
			continue;
		if (!last && e + PORT_AHEAD > len) {
			stop = stop_before(s, pend);
			break;
		}
		if (!r->lens[e - s] || !find(r, buf, s, e, len, &h))
			continue;
		if (h.host - pend + 1 + HIT_MAX > o->cap - o->len) {
			/* Up to where its scheme may begin. */
			stop = stop_before(s, pend);
			break;
		}
		put_hit(r, buf, pend, &h, o);
		pend = e = h.end;
		if (stop < pend)
			stop = pend;
	}
	return (pend + put_some(o, buf + pend, stop - pend));
}
