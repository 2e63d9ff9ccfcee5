/* SPDX-License-Identifier: ISC */
#ifndef DOC_H
#define DOC_H

#include <stddef.h>
#include <stdint.h>

#include "wire.h"

struct chan;

/*
 * A document that is longer than a message: its size is announced (by
 * REPORT_BEGIN or API_RESULT), then it comes in DOC_CHUNKs. The receiver keeps
 * it here until it is whole; more than announced, or a chunk of nothing, is
 * malformed. All zero is an empty one.
 */
struct doc {
	char	*text;		/* `total` bytes; NULL: counted, not kept */
	size_t	 total, got;
	int	 open;		/* announced, and not yet given away */
};

/* Announced: keep it, or only count it (`keep` 0, or no memory). */
void	doc_begin(struct doc *, size_t total, int keep);
/* 0, or -1: nothing was announced, or more has come than was. */
int	doc_add(struct doc *, const struct blob *);
int	doc_is_whole(const struct doc *);
/* Wipe and free what it holds; empty again. */
void	doc_clear(struct doc *);

/* Say `len` bytes in chunks with this id. */
void	doc_say(struct chan *, uint32_t id, const void *text, size_t len);

#endif
