/* SPDX-License-Identifier: ISC */

/* UTF-8 as RFC 3629, section 4, has it: text messages and close reasons. */

#include <string.h>

#include "ws.h"
#include "ws_int.h"

/*
 * The first byte of a character says how many follow; for four of them the
 * second byte has a narrower range, which shuts out overlong forms,
 * surrogates, and what lies above U+10FFFF.
 */
static int
utf8_lead(uint8_t b, uint8_t *need, uint8_t *lo, uint8_t *hi)
{
	*lo = 0x80;
	*hi = 0xbf;
	if (b >= 0xc2 && b <= 0xdf)
		*need = 1;
	else if (b >= 0xe0 && b <= 0xef)
		*need = 2;
	else if (b >= 0xf0 && b <= 0xf4)
		*need = 3;
	else
		return (-1);
	if (b == 0xe0)
		*lo = 0xa0;
	else if (b == 0xed)
		*hi = 0x9f;
	else if (b == 0xf0)
		*lo = 0x90;
	else if (b == 0xf4)
		*hi = 0x8f;
	return (0);
}

int
ws_utf8_feed(const uint8_t *p, size_t len, uint8_t *need, uint8_t *lo,
    uint8_t *hi)
{
	uint64_t	 v;
	size_t		 i;

	for (i = 0; i < len; i++) {
		if (*need == 0) {
			while (len - i > sizeof(v)) {
				memcpy(&v, p + i, sizeof(v));
				if (v & 0x8080808080808080ULL)
					break;
				i += sizeof(v);
			}
			if (p[i] < 0x80)
				continue;
			if (utf8_lead(p[i], need, lo, hi) == -1)
				return (-1);
			continue;
		}
		if (p[i] < *lo || p[i] > *hi)
			return (-1);
		*lo = 0x80;
		*hi = 0xbf;
		(*need)--;
	}
	return (0);
}

int
ws_utf8(const uint8_t *p, size_t len)
{
	uint8_t		 need = 0, lo = 0, hi = 0;

	return (ws_utf8_feed(p, len, &need, &lo, &hi) == 0 && need == 0);
}
