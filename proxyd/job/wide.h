/* SPDX-License-Identifier: ISC */
#ifndef WIDE_H
#define WIDE_H

#include <stdint.h>

#include "api/api.h"

struct conn;
struct doc;
struct gather;

/* The calls of the operator API that are about all members of a cluster. */

/* Is it one, and are we who asks the others? */
int	wide_is(const struct conn *, enum api_op);
/*
 * Ours is `code`: ask the others the same, as gather_begin() does; *asked says
 * whether anybody has to be asked.
 */
struct gather	*wide_ask(struct conn *, enum api_op, uint16_t code,
		    const char *terminal, const char *token, int *asked,
		    void (*then)(struct gather *, void *), void *arg);
/*
 * Ours and theirs made into one: `data` and *code change. NULL: the message
 * stays; or another, a constant.
 */
const char	*wide_answer(enum api_op, struct doc *data, uint16_t *code,
		    const struct gather *);
/* Such a list without an envelope. 0, or -1: no memory. */
int	wide_list(struct doc *data, const char *list, const struct gather *);

#endif
