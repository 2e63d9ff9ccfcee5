/* SPDX-License-Identifier: ISC */
#ifndef SNIFF_H
#define SNIFF_H

#include <stddef.h>

/* Most bytes that are looked at: a resource header of the MIME Sniffing Standard. */
#define SNIFF_MAX	1445

/*
 * Does a body that has no type begin as a page (MIME Sniffing Standard, 7.1)? 1
 * or 0; -1 if more than these `len` bytes have to be seen, and `whole` does not
 * say that they are all. Pure.
 */
int	sniff_page(const char *body, size_t len, int whole);
/* The same of a body in chunks (httphead_chunk, lenient). */
int	sniff_chunked(const char *body, size_t len, int whole);

#endif
