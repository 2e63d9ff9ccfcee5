/* SPDX-License-Identifier: ISC */
#ifndef ALONE_H
#define ALONE_H

/* ALONE_*: a number of a message; ALONE_COUNT and above are none. */
enum alone {
#define N(NAME, reason)	ALONE_##NAME,
#include "alone.def"
#undef N
	ALONE_COUNT
};

#endif
