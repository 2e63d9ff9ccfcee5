/* SPDX-License-Identifier: ISC */
#ifndef PAGE_H
#define PAGE_H

#include <stddef.h>

/* Longest page that is made. */
#define PAGE_MAX	4096

/*
 * Write the page that a person gets instead of the envelope: what is wrong in
 * plain words, the message as it is, and what to do next. Nothing in it has to
 * be loaded or run. The message is escaped; `request` is the id that support
 * can be told. Returns the length. Pure.
 */
size_t	page_build(char *buf, size_t size, int status, const char *message,
	    const char *request);

/* The headline and the advice for this, never NULL. */
const char	*page_title(int status, const char *message);
const char	*page_next(int status, const char *message);

#endif
