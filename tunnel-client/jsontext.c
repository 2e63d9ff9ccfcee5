/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "ws/ws.h"

#define TEXT_MAX	1024	/* bytes of a string; the server's limit */

int
json_add_text(cJSON *to, const char *name, const char *text, size_t len)
{
	char	*copy;
	size_t	 i;
	int	 r;

	if ((copy = malloc(len + 1)) == NULL)
		return (-1);
	memcpy(copy, text, len);	/* it has no end of its own */
	copy[len] = '\0';
	for (i = 0; copy[i] != '\0'; i++)
		if ((unsigned char)copy[i] < 0x20 || copy[i] == 0x7f)
			copy[i] = ' ';
	if (i > TEXT_MAX) {
		for (i = TEXT_MAX; i > 0 && (copy[i] & 0xc0) == 0x80; i--)
			;
		copy[i] = '\0';
	}
	if (!ws_utf8((uint8_t *)copy, i))
		for (i = 0; copy[i] != '\0'; i++)
			if ((unsigned char)copy[i] >= 0x80)
				copy[i] = '?';
	r = cJSON_AddStringToObject(to, name, copy) == NULL ? -1 : 0;
	free(copy);
	return (r);
}
