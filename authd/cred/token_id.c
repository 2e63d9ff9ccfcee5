/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "base/compat.h"
#include "secret.h"
#include "token_id.h"

#define BORDER	'#'

/* Where there is no room for both, it ends with its parent all the same. */
void
token_id_make(const char *parent, char dst[ID_SIZE])
{
	char	own[UUID_SIZE];

	secret_uuid(own);
	if (parent[0] == '\0')
		strlcpy(dst, own, ID_SIZE);
	else if (strlen(parent) + 1 + strlen(own) < ID_SIZE)
		snprintf(dst, ID_SIZE, "%s%c%s", parent, BORDER, own);
	else
		strlcpy(dst, parent, ID_SIZE);
}

void
token_id_parent(const char *id, char dst[ID_SIZE])
{
	char	*border;

	strlcpy(dst, id, ID_SIZE);
	if ((border = strrchr(dst, BORDER)) != NULL)
		*border = '\0';
	else
		dst[0] = '\0';
}
