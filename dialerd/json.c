/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "imsg/msg.h"
#include "json.h"

#define MEMBERS_MAX	128

struct cJSON *
json_document(const char *text, size_t len)
{
	const char	*end;
	char		*copy;
	cJSON		*o;

	if (len == 0 || memchr(text, '\0', len) != NULL ||
	    memmem(text, len, "\\u0000", 6) != NULL ||
	    (copy = malloc(len + 1)) == NULL)
		return (NULL);
	memcpy(copy, text, len);
	copy[len] = '\0';
	o = cJSON_ParseWithLengthOpts(copy, len + 1, &end, 1);
	free(copy);
	if (o != NULL && !cJSON_IsObject(o)) {
		cJSON_Delete(o);
		o = NULL;
	}
	return (o);
}

int
json_is_odd(const struct cJSON *object)
{
	const cJSON	*v, *w;
	unsigned	 n = 0;

	cJSON_ArrayForEach(v, object) {
		if (++n > MEMBERS_MAX)
			return (1);
		for (w = object->child; w != v; w = w->next)
			if (strcmp(v->string, w->string) == 0)
				return (1);
	}
	return (0);
}

const char *
json_text(const struct cJSON *object, const char *name, size_t size)
{
	const cJSON	*v = cJSON_GetObjectItemCaseSensitive(object, name);

	return (cJSON_IsString(v) && strlen(v->valuestring) < size ?
	    v->valuestring : NULL);
}

/* Digits up to the path: a port. 0 or -1. */
static int
port_of(const char *s, size_t len, uint16_t *port)
{
	unsigned	n = 0;
	size_t		i;

	for (i = 0; i < len && isdigit((unsigned char)s[i]) && n <= 65535; i++)
		n = n * 10 + (unsigned)(s[i] - '0');
	if (len == 0 || i < len || n == 0 || n > 65535)
		return (-1);
	*port = (uint16_t)n;
	return (0);
}

int
place_of(const char *url, char host[PLACE_SIZE], uint16_t *port)
{
	const char	*s = url, *end;
	size_t		 i, len;

	for (s = url; *s > 0x20 && *s < 0x7f && *s != '"' && *s != '\\'; s++)
		continue;
	if (*s != '\0' || (size_t)(s - url) >= URL_SIZE ||
	    strncmp(url, "https://", 8) != 0)
		return (-1);
	s = url + 8;
	end = s + strcspn(s, "/?#");
	for (len = 0; isalnum((unsigned char)s[len]) || s[len] == '-' ||
	    s[len] == '.'; len++)
		continue;
	if (len == 0 || len >= PLACE_SIZE || s[0] == '.' || s[0] == '-')
		return (-1);
	for (i = 0; i < len; i++)
		host[i] = (char)tolower((unsigned char)s[i]);
	host[len] = '\0';
	*port = 443;
	if (s + len == end)
		return (0);
	return (s[len] == ':' ? port_of(s + len + 1,
	    (size_t)(end - s) - len - 1, port) : -1);
}

int
place_is_same(const char *url, const char *other)
{
	char		a[PLACE_SIZE], b[PLACE_SIZE];
	uint16_t	p, q;

	return (place_of(url, a, &p) == 0 && place_of(other, b, &q) == 0 &&
	    strcmp(a, b) == 0 && p == q);
}
