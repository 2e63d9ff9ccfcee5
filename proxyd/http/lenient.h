/* SPDX-License-Identifier: ISC */
#ifndef LENIENT_H
#define LENIENT_H

#include "http/head.h"

/*
 * How far a head that is still coming in has been looked at; zero it for each.
 * One that comes byte by byte costs no more than one that comes at once.
 */
struct lenient {
	struct httphead_scan	 scan;
	int			 odd;		/* the strict parser said no */
	int			 begun;		/* the status line is right */
	size_t			 line, seen;
};

/*
 * What web servers in printers, switches and phones say, read as browsers read
 * it. httphead_response() is asked first; a head that it refuses is written
 * anew here, strict and with one framing, and parsed again: so nothing odd
 * goes on to the browser, and there is one reading of every message. Pure.
 *
 * Taken are: lines that end in LF, empty lines before the first, folded lines,
 * blanks before a colon, control characters in a value (blanks then), a status
 * line with other blanks or version, ICY; Content-Length several times with
 * one number, beside chunked (ignored), or that is no number (ignored: the
 * body goes to the end of the connection); `identity`; chunked twice or in
 * HTTP/1.0. Left out are lines without a colon and names that are no token.
 *
 * Refused are, with a reason that says what to do where that is known: what
 * does not begin with a status line, NUL, more than HTTPHEAD_RESPONSE_MAX bytes
 * or HTTPHEAD_FIELDS fields, two lengths, other transfer codings.
 *
 * The same results as httphead_response(). With 1 for such a head
 * HTTPHEAD_KEEPALIVE is not set, head_len counts the bytes in `buf`, and the
 * slices point into memory that is good until the next call.
 */
int	lenient_response(struct httphead *, struct lenient *, int method,
	    const char *buf, size_t len, const char **why);

#endif
