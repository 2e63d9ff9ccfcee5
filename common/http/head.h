/* SPDX-License-Identifier: ISC */
#ifndef HTTPHEAD_H
#define HTTPHEAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * One strict HTTP/1 head parser for proxyd, muxd, termd and the clients, over
 * llhttp. Pure: no I/O, no allocation. What it hands out are slices of the
 * caller's buffer: they are good as long as those bytes stay where they are.
 *
 * Strict means: two parsers on the way must never read two different requests
 * out of the same bytes (messages.md, section 6; RFC 9112, section 11.2).
 */

/* Longest request head and response head, bytes, blank line included. */
#define HTTPHEAD_MAX		(16 * 1024)
/* A request head for a proxied host: with the cookies of its applications. */
#define HTTPHEAD_PROXY_MAX	(64 * 1024)
#define HTTPHEAD_RESPONSE_MAX	(256 * 1024)
/* Most header fields in a request head, more is 431, and in any head. */
#define HTTPHEAD_REQUEST_FIELDS	100
#define HTTPHEAD_FIELDS		256
/* Longest host name that httphead_split_host() gives, with its NUL. */
#define HTTPHEAD_HOST_SIZE	256

/* Bytes inside the caller's buffer; not terminated. `s` NULL: absent. */
struct slice {
	const char	*s;
	size_t		 len;
};

struct httphead_field {
	struct slice	 name;
	struct slice	 value;		/* blanks around it are cut off */
};

/* Flags of a head. */
#define HTTPHEAD_KEEPALIVE	0x01	/* the connection may be used again */
#define HTTPHEAD_CHUNKED	0x02	/* the body is chunked */
#define HTTPHEAD_LENGTH		0x04	/* the body has `content_length` bytes */
#define HTTPHEAD_TO_CLOSE	0x08	/* response: the body ends with the
					   connection */
#define HTTPHEAD_UPGRADE	0x10	/* `Connection: upgrade` and an Upgrade
					   with `websocket`; request: GET,
					   response: 101. Any other upgrade is
					   none: nobody has to take it up */
#define HTTPHEAD_EXPECT		0x20	/* request: `Expect: 100-continue` */
#define HTTPHEAD_INTERIM	0x40	/* response: 1xx but 101, another head
					   follows */

/*
 * A parsed head. Of HTTPHEAD_CHUNKED, HTTPHEAD_LENGTH and HTTPHEAD_TO_CLOSE at
 * most one is set; none means that there is no body. HTTPHEAD_LENGTH with
 * `content_length` 0 is no body either. For a response to HEAD, and for 304,
 * `content_length` still has the field's number while no flag is set.
 */
struct httphead {
	size_t		 head_len;	/* bytes of the head, blank line too */
	uint64_t	 content_length;
	unsigned int	 flags;
	int		 minor;		/* HTTP/1.minor: 0 or 1 */

	/* request */
	int		 method;	/* enum llhttp_method of those that
					   matter here, -1: another token */
	struct slice	 method_name;
	struct slice	 target;	/* as sent, untouched */
	struct slice	 path;		/* begins with '/', or is "*" */
	struct slice	 query;		/* without '?'; s is NULL without one */
	struct slice	 host;		/* with port, as sent: from an absolute
					   target, else the Host field; NULL
					   only in HTTP/1.0 */

	/* response */
	int		 status;	/* 100 to 999 */
	struct slice	 reason;	/* may be empty */

	size_t		 nfields;
	struct httphead_field field[HTTPHEAD_FIELDS];	/* first nfields */
};

/*
 * How far a head that is still coming in has been looked at. Zero it when a
 * new head begins; keep it while the buffer only grows (it may move). It makes
 * a head that comes byte by byte cost no more than one that comes at once.
 */
struct httphead_scan {
	size_t		 seen;		/* bytes looked at */
	size_t		 line;		/* where the current line begins */
	unsigned int	 lines;		/* lines complete so far */
};

/*
 * Parse a request head at the start of `buf`, which holds all bytes of it that
 * have come so far, and maybe some behind it. Returns
 *	1	complete: `*h` is filled, h->head_len bytes belong to it
 *	0	incomplete: call again when there is more
 *	-1	refused: answer `*status`, close; `*why` is a constant text
 * `status` is 400 (malformed), 414 (request line over HTTPHEAD_MAX), 431 (head
 * over HTTPHEAD_MAX or too many fields), 501 (unknown transfer coding,
 * CONNECT), 505 (HTTP version not 1.0 or 1.1). `*h` means something
 * only after 1. `why` may be NULL.
 *
 * Refused with 400 are: NUL and control characters, bare CR or LF, folded
 * lines, blanks before a colon; a second Authorization, Host, Origin, Upgrade,
 * Content-Length, Transfer-Encoding or Sec-WebSocket-* (the same name);
 * Content-Length with Transfer-Encoding; a Content-Length that is not 1 to 18
 * digits; Transfer-Encoding in HTTP/1.0; a body on an upgrade; HTTP/1.1 without
 * Host; a Host that is not host[:port]; a target with '#' or user information,
 * neither "/..." nor http(s)://..., but "*" for OPTIONS. One empty line before
 * the request is skipped (RFC 9112, 2.2) and counts in head_len.
 */
int	httphead_request(struct httphead *, struct httphead_scan *,
	    const char *buf, size_t len, int *status, const char **why);
/* The same with another limit than HTTPHEAD_MAX. */
int	httphead_request_max(struct httphead *, struct httphead_scan *,
	    size_t max, const char *buf, size_t len, int *status,
	    const char **why);

/*
 * Parse a response head, the same way. `method` is that of the request (enum
 * llhttp_method: HEAD has no body). Returns 1, 0, or -1 when the peer does not
 * speak HTTP/1: a proxy answers 502. The framing rules are those of RFC 9112,
 * section 6.3: no body for 1xx, 204, 304 and HEAD; else chunked; else
 * Content-Length; else to the end of the connection, and then never
 * HTTPHEAD_KEEPALIVE. Refused: more than HTTPHEAD_RESPONSE_MAX bytes, what
 * the request parser refuses in fields, Content-Length twice or with
 * Transfer-Encoding, a transfer coding other than chunked.
 */
int	httphead_response(struct httphead *, struct httphead_scan *, int method,
	    const char *buf, size_t len, const char **why);

/*
 * The value of the first field with that name (any case), or NULL. Fields
 * that may come twice: walk h->field.
 */
const struct slice *httphead_get(const struct httphead *, const char *name);

/*
 * May a request of this method be said again, if nobody knows what became of
 * it? The idempotent ones of RFC 9110, 9.2.2, and PROPFIND (RFC 4918, 9.1); any
 * other token may not.
 */
int	httphead_is_idempotent(int method);

/* Whether a field's name is `name` (any case). */
int	httphead_is(const struct httphead_field *, const char *name);

/*
 * Whether a comma-separated list in any field named `name` has `token` (any
 * case): `keep-alive, Upgrade` has "upgrade".
 */
int	httphead_has_token(const struct httphead *, const char *name,
	    const char *token);

/* Compare a slice with a string: exactly, and in any case of ASCII letters. */
int	slice_eq(const struct slice *, const char *);
int	slice_caseeq(const struct slice *, const char *);
/* Whether it is a token: a method, a field's name (RFC 9110, 5.6.2). */
int	slice_is_token(const struct slice *);
/*
 * The next element of a comma-separated list, blanks around it cut off: 1, or
 * 0 behind the last. `list` is what is left of it, s NULL for nothing. An
 * element may be empty.
 */
int	slice_list_next(struct slice *list, struct slice *el);
/*
 * Cut off what stands behind `;` in an element of such a list: whether it is
 * wanted, which with a weight of nought it is not (`gzip;q=0`; RFC 9110,
 * 12.4.2).
 */
int	slice_cut_weight(struct slice *el);
/*
 * A segment of a path, percent-decoded, terminated; "" when that is nothing
 * that fits or holds a NUL or a bad escape.
 */
void	slice_unescape(const struct slice *, char *dst, size_t size);
/* Cut off the blanks around it. */
static inline void
slice_trim(struct slice *v)
{
	while (v->len > 0 && (v->s[v->len - 1] == ' ' ||
	    v->s[v->len - 1] == '\t'))
		v->len--;
	while (v->len > 0 && (*v->s == ' ' || *v->s == '\t')) {
		v->s++;
		v->len--;
	}
}

/*
 * Split `host[:port]` as a Host field has it. `host` gets the name in lower
 * case, without a trailing dot, terminated; an IPv6 address without brackets.
 * `*port` is 0 when none is given. Returns 0, or -1 for an empty or overlong
 * name, characters outside [A-Za-z0-9._-] (outside brackets), an empty label,
 * a port that is not 1 to 65535. operator-api.md, 7.1: port and trailing dot
 * are ignored, comparison is case-insensitive.
 */
int	httphead_split_host(const struct slice *, char host[HTTPHEAD_HOST_SIZE],
	    uint16_t *port);

/*
 * Find the end of a chunked body that streams through unchanged. Zero the
 * struct at the start of each body. For one that goes on to another parser set
 * no_quotes: what ends a line within quotes is read in two ways.
 *
 * For what old servers say set lenient: a line may then end in LF alone, and the
 * last chunk's line is enough when the connection ends. These, and blanks behind
 * a size, are `odd`. What may go on to a strict reader as it came is everything
 * but the last `loose` bytes: those are a line that is not whole yet (behind the
 * last chunk's: all lines to the end), or the first odd one and what follows it.
 */
struct httphead_chunk {
	uint64_t	 left;		/* of the chunk's data */
	uint64_t	 loose;
	uint32_t	 line_len;	/* of size line or trailers so far */
	uint8_t		 digits;
	uint8_t		 state;
	uint8_t		 broken;	/* the state in which it broke */
	uint8_t		 done;		/* the last byte has been seen */
	uint8_t		 lenient;	/* set before */
	uint8_t		 odd;
	uint8_t		 open;		/* first odd was what ends data */
	uint8_t		 no_quotes;	/* set before: none in extensions */
};

/* Longest chunk size line, extensions included; longest trailer section. */
#define HTTPHEAD_CHUNK_LINE	4096
#define HTTPHEAD_TRAILER_MAX	(16 * 1024)

/*
 * Look at `len` more bytes of the body. Returns how many of them belong to it:
 * `len` while it goes on; once c->done is set, the rest is what follows the
 * body. -1 when the framing is broken: pass nothing further on, close. Sizes
 * of up to 15 hex digits are taken. RFC 9112, section 7.1.
 */
ssize_t	httphead_chunk_scan(struct httphead_chunk *, const char *buf,
	    size_t len);
/* The connection has ended: returns whether the body is whole, and c->done. */
int	httphead_chunk_ended(struct httphead_chunk *);
/* `to`, lenient, reads on from the first loose byte of one that is odd. */
void	httphead_chunk_resume(struct httphead_chunk *to,
	    const struct httphead_chunk *odd);
/* Behind a -1: what is wrong with it, for people. */
const char	*httphead_chunk_why(const struct httphead_chunk *);

/*
 * The same one step at a time, for those who want the data: looks at up to one
 * run of chunk data, sets `*data` to it (len 0 when the bytes were framing
 * only) and returns how many bytes of `buf` were used. 0 when c->done is set,
 * -1 when the framing is broken. `len` must not be 0.
 */
ssize_t	httphead_chunk_next(struct httphead_chunk *, const char *buf,
	    size_t len, struct slice *data);
/*
 * The same for all of `buf`, whose data is moved together at its start: *out
 * bytes. Returns how many were used, or -1.
 */
ssize_t	httphead_chunk_strip(struct httphead_chunk *, char *buf, size_t len,
	    size_t *out);
/*
 * As httphead_chunk_scan(), but trailers (RFC 9112, 7.1.2) are cut out of
 * `buf`: the bytes behind them move up, and *len is less by as much. Returns how
 * many of what is left belong to the body.
 */
ssize_t	httphead_chunk_bare(struct httphead_chunk *, char *buf, size_t *len);

#endif
