/* SPDX-License-Identifier: ISC */
#include "refusal.h"

#define BUSY_RETRY_S	30	/* Retry-After of a full server */
#define SOON_RETRY_S	2	/* of a store that may be back in a moment */

static const struct refusal_info	table[REFUSE_COUNT] = {
	[REFUSE_NOT] = { 0, 0, "" },
#define N(NAME, status, retry_s, text)					\
	[REFUSE_##NAME] = { status, retry_s, text },
#include "refusal.def"
#undef N
};
#define N(NAME, status, retry_s, text)					\
	_Static_assert((status) >= 400 && (status) < 600, #NAME);
#include "refusal.def"
#undef N

const struct refusal_info *
refusal_info(enum refusal r)
{
	return (&table[r]);
}
