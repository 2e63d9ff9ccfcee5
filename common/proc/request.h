/* SPDX-License-Identifier: ISC */
#ifndef PROC_REQUEST_H
#define PROC_REQUEST_H

#include "base/request.h"

/*
 * A new id for a request: 16 hex digits that no other process makes, and that
 * nobody can tell from the one before.
 */
void	request_make(char dst[REQUEST_SIZE]);

#endif
