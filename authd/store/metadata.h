/* SPDX-License-Identifier: ISC */
#ifndef METADATA_H
#define METADATA_H

#include "store.h"

/*
 * What clients see beside the columns of a row of the access log, as JSON text.
 * The outcome may hold words of the customer's and is cut first; "{}" when the
 * rest has no room either. operator-api.md, section 11.
 */
#define METADATA_SIZE	2048
void	metadata_print(const struct access_row *, char dst[METADATA_SIZE]);

#endif
