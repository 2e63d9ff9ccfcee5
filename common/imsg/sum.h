/* SPDX-License-Identifier: ISC */
#ifndef SUM_H
#define SUM_H

#include <stdint.h>

#include "msg.h"

/*
 * A sum over all messages, their numbers and their fields: who has the same
 * understands what is said. Pure.
 */
uint32_t	msg_sum(void);

#endif
