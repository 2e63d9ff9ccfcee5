/* SPDX-License-Identifier: ISC */
#ifndef BACK_H
#define BACK_H

#include "store.h"

/*
 * What a back end has for store_ask(): an answer in the same call, or later;
 * how long that may take, and how many may wait, is ask.c's business.
 */
struct back_call;

/* NULL when `then` has been called already. */
struct back_call	*back_ask(const struct question *, store_then,
			    void *arg);
/* `then` will not be called. */
void			 back_cancel(struct back_call *);

#endif
