/* SPDX-License-Identifier: ISC */
/*
 * Whatever a terminal says, in whatever pieces: its recording is lines of JSON
 * in UTF-8, and in pieces the same text as in one.
 */
#include <cjson/cJSON.h>

#include "termd/cast.h"
#include "fuzz.h"

static struct cast	c;

/* What a line says is added to `text`. */
static size_t
line(const char *p, size_t len, char *text, size_t n)
{
	cJSON	*a = cJSON_ParseWithLength(p, len);
	size_t	 i;

	if (!cJSON_IsArray(a) || cJSON_GetArraySize(a) != 3 ||
	    !cJSON_IsNumber(cJSON_GetArrayItem(a, 0)) ||
	    !cJSON_IsString(cJSON_GetArrayItem(a, 2)))
		abort();
	for (i = 0; i < len; i++)
		if ((uint8_t)p[i] < 0x20 || p[i] == 0x7f)
			abort();
	/* Up to a NUL, which cJSON takes for the end. */
	len = strlen(cJSON_GetArrayItem(a, 2)->valuestring);
	memcpy(text + n, cJSON_GetArrayItem(a, 2)->valuestring, len);
	cJSON_Delete(a);
	return (n + len);
}

static size_t
lines(char *text, size_t n)
{
	char	*p = (char *)c.buf, *end = p + c.len, *nl;

	for (; p < end; p = nl + 1) {
		if ((nl = memchr(p, '\n', (size_t)(end - p))) == NULL)
			abort();
		n = line(p, (size_t)(nl - p), text, n);
	}
	c.len = 0;
	return (n);
}

/* All of it in pieces of `step` bytes: how long the text is. */
static size_t
all(const uint8_t *data, size_t len, size_t step, char *text)
{
	size_t	done, n = 0, some;

	memset(&c, 0, sizeof(c));
	while (len > 0) {
		some = len < step ? len : step;
		done = cast_output(&c, 1, data, some);
		data += done;
		len -= done;
		if (done < some || step % 3 == 0) {
			cast_close(&c);
			n = lines(text, n);
		}
	}
	if (cast_finish(&c, 2) == -1) {
		cast_close(&c);
		n = lines(text, n);
		if (cast_finish(&c, 2) == -1)
			abort();
	}
	cast_close(&c);
	return (lines(text, n));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char	once[400000], twice[400000];
	size_t		n;
	uint8_t		*p;
	size_t		i;

	if (len == 0 || len > 100000 || (p = malloc(len)) == NULL)
		return (0);
	memcpy(p, data, len);
	for (i = 0; i < len; i++)
		if (p[i] == '\0')
			p[i] = 'x';	/* for cJSON's sake */
	n = all(p, len, len, once);
	if (all(p, len, 1 + data[0] % 7, twice) != n ||
	    memcmp(once, twice, n) != 0)
		abort();
	/* And with what it was. */
	(void)all(data, len, 3, twice);
	free(p);
	return (0);
}
