/* SPDX-License-Identifier: ISC */
#ifndef METRICD_ANSWER_H
#define METRICD_ANSWER_H

#include <stddef.h>

#include "request.h"

/*
 * The whole answer, head and body, malloc'd; `is_head`: the head alone. NULL
 * when out of memory.
 */
char	*answer_make(enum request_what, int is_head, size_t *len);

#endif
