/* SPDX-License-Identifier: ISC */
#ifndef REFUSAL_H
#define REFUSAL_H

#include <stdint.h>

/* Every way to say no, made from refusal.def. Pure. */
enum refusal {
	REFUSE_NOT,		/* yes */
#define N(NAME, status, retry_s, text)	REFUSE_##NAME,
#include "refusal.def"
#undef N
	REFUSE_COUNT
};

struct refusal_info {
	uint16_t	 status;
	uint16_t	 retry_s;	/* Retry-After, 0: none */
	const char	*text;
};

const struct refusal_info	*refusal_info(enum refusal);

#endif
