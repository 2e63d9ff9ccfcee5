/* SPDX-License-Identifier: ISC */
#ifndef GLOB_H
#define GLOB_H

#include <stddef.h>

#include "http/head.h"

/*
 * Patterns for origins: * is any run without `/`, ? one byte that is not `/`,
 * [a-z] and [^a-z] a class, \ takes the next as it is; case does not count.
 * Pure. rendezvous-protocol.md, section 5.
 */

/* 1 it fits, 0 it does not, also because the pattern is none. */
int	glob_match(const char *pattern, const char *s, size_t len);

/*
 * One matcher for both uses (D20). A pattern with `://` is for scheme and host,
 * others for the host with its port, if one is written. An origin without a
 * host ("null") fits nothing.
 */
int	glob_origin(const struct slice *origin, const char *patterns,
	    size_t size, unsigned n);
/* The host of an origin, with its port; empty: it has none. */
struct slice	glob_host(const struct slice *origin);

#endif
