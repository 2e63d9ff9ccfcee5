/* SPDX-License-Identifier: ISC */
#ifndef PAIRD_H
#define PAIRD_H

#include <stdint.h>

#include "pair.h"

extern const struct pair_ops	conn_ops;	/* conn.c */

/* For pair_ops: ask authd about a jti. */
int	paird_ask(uint64_t id, const uint8_t hash[PAIR_HASH], int take);

#endif
