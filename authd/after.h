/* SPDX-License-Identifier: ISC */
#ifndef AFTER_H
#define AFTER_H

/* The shape of turn_after(), for the rooms below that are handed it. */
typedef void	(*after_fn)(void (*fn)(void *arg, int ok), void *arg);

#endif
