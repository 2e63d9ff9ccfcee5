/* SPDX-License-Identifier: ISC */
#ifndef DIALERD_FETCH_H
#define DIALERD_FETCH_H

#include <stddef.h>
#include <stdint.h>

/*
 * One document by https: GET, TLS 1.2 or newer with certificate and name
 * checked, 200 and a JSON type, at most FETCH_MAX bytes, within a time. What
 * redirects is not followed; no proxy, cookie or password is used.
 */
#define FETCH_MAX	(1 << 20)	/* bytes of a document */
#define FETCH_HEAD_MAX	(64 << 10)	/* and of all that comes before it */
#define FETCH_CONNECT_MS 5000		/* of the time: to be connected */

/* Before the sandbox closes: libcurl, TLS, and the resolver's files. */
void	fetch_init(void);
/* The authorities that are trusted, from a file (taken). 0, or -1. */
int	fetch_trust(int fd);

/*
 * `fn` is called once, never before this returns: with the document, which is
 * borrowed, or with why not. NULL when out of memory; `fn` is not called then.
 */
struct fetch;
typedef void	(*fetch_fn)(void *, const char *why, const char *text,
		    size_t len);
struct fetch	*fetch_start(const char *url, unsigned timeout_ms, fetch_fn,
		    void *);
/* `fn` will not be called. NULL is allowed. */
void		 fetch_cancel(struct fetch *);

#endif
