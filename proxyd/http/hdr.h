/* SPDX-License-Identifier: ISC */
#ifndef HDR_H
#define HDR_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "http/head.h"

/*
 * Heads on their way: what is passed on, what is taken away and what is put
 * there instead. Pure: parsed head in, bytes out. operator-api.md, 7.5 to 7.9.
 */

/* Where a head is written; `over` is set when it did not fit. */
struct out {
	char	*p;
	size_t	 len, cap;
	int	 over;
};

static inline void
out_put(struct out *o, const char *s, size_t len)
{
	if (len > o->cap - o->len) {
		o->over = 1;
		return;
	}
	memcpy(o->p + o->len, s, len);
	o->len += len;
}

#define out_lit(o, s)	out_put((o), (s), sizeof(s) - 1)
#define out_str(o, s)	out_put((o), (s), strlen(s))

/* Room that suffices for any head that the parser lets through. */
#define REQHDR_MAX	(HTTPHEAD_PROXY_MAX + 4096)
#define RESPHDR_MAX	(HTTPHEAD_RESPONSE_MAX + 32768)

/*
 * A copy of a parsed head, for what has to wait; it points into the same
 * bytes, and has room for no field but those that it has: never copy it as a
 * struct. free() it; NULL: out of memory.
 */
struct httphead	*hdr_keep(const struct httphead *);

struct urlmap;
struct service;
struct sieve;

struct reqhdr {
	const struct service	*service;
	const struct urlmap	*map;
	struct sieve		*sieve;	/* of its cookies; NULL: over http */
	const char		*request;	/* its id, unless it has one */
	int			 upgrade;
	int			 rewrites;	/* its answer's body, maybe */
};

/* Write the head for the service. 0, or -1 when it does not fit. */
int	reqhdr_build(struct out *, const struct httphead *,
	    const struct reqhdr *);

struct resphdr {
	const struct slice *dir;	/* sieve_dir(); NULL: over http */
	int		 apart;		/* on the API's host: path.c */
	struct slice	 sibling;	/* the Origin to answer to; s NULL */
	int		 http10;	/* the browser speaks HTTP/1.0 */
	int		 close;		/* the connection ends after this */
	int		 upgrade;	/* a 101 to an upgrade */
	int		 rewritten;	/* the body is, and has this length */
	uint64_t	 length;
	const struct urlmap *map;
	const char	*extra;		/* whole lines of ours, or NULL */
};

/* Write the head for the browser. 0, or -1 when it does not fit. */
int	resphdr_build(struct out *, const struct httphead *,
	    const struct resphdr *);

/*
 * What becomes of the field `name`: the first rule that fits, its letters in
 * any case, or `dflt`. The rules are found by their first letter, in an index
 * that is made when it is first used.
 */
struct hdr_rule {
	const char	*name;		/* in lower case */
	unsigned char	 len, prefix;	/* prefix: longer names match too */
	unsigned char	 under;		/* '_' stands for '-' too */
	int		 what;
};
#define HDR_RULES_MAX	64
struct hdr_rules {
	const struct hdr_rule	*rule;
	size_t			 n;		/* at most HDR_RULES_MAX */
	int			 made;
	/* one more than where the first is, and the next after each */
	unsigned char		 first[32], next[HDR_RULES_MAX];
};
int	hdr_rule(struct hdr_rules *, const struct slice *name, int dflt);
#define HDR_RULES(rules)						\
	{ (rules), sizeof(rules) / sizeof((rules)[0]), 0, { 0 }, { 0 } }
#define HDR_RULE(name, what)	{ name, sizeof(name) - 1, 0, 0, what }
#define HDR_PREFIX(name, what)	{ name, sizeof(name) - 1, 1, 0, what }

/* Write a field as it came. */
void	hdr_put_field(struct out *, const struct httphead_field *);

/* Whether Connection names more than keep-alive, close and upgrade. */
int	hdr_connection_names(const struct httphead *);
/* Whether it names this field, which then ends here. */
int	hdr_connection_has(const struct httphead *, const struct slice *name);

#endif
