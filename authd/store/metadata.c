/* SPDX-License-Identifier: ISC */
#include <cjson/cJSON.h>

#include <stdlib.h>
#include <string.h>

#include "base/compat.h"
#include "base/text.h"
#include "metadata.h"

/*
 * Words of a worker's, which may be broken: what is no text is none in JSON
 * either, and a reader would stumble over the whole page.
 */
static void
add_words(cJSON *o, const char *name, const char *s)
{
	char	shown[4 * MESSAGE_SIZE];

	if (!text_is_name(s)) {
		text_printable(shown, sizeof(shown), s);
		s = shown;
	}
	cJSON_AddStringToObject(o, name, s);
}

/* With the first `len` bytes of the outcome. 0; -1: too long. */
static int
print_some(const struct access_row *a, size_t len, char dst[METADATA_SIZE])
{
	cJSON	*o = cJSON_CreateObject();
	char	*text, outcome[MESSAGE_SIZE];
	int	 r = -1;

	strlcpy(outcome, a->outcome, len < sizeof(outcome) ? len + 1 :
	    sizeof(outcome));
	cJSON_AddStringToObject(o, "service", a->service);
	add_words(o, "ip", a->ip);
	if (a->token_id[0] != '\0')
		cJSON_AddStringToObject(o, "token_id", a->token_id);
	if (a->impersonator[0] != '\0')
		cJSON_AddStringToObject(o, "impersonator", a->impersonator);
	if (a->request[0] != '\0')
		add_words(o, "request", a->request);
	cJSON_AddNumberToObject(o, "bytes_in", (double)a->bytes_in);
	cJSON_AddNumberToObject(o, "bytes_out", (double)a->bytes_out);
	if (outcome[0] != '\0')
		add_words(o, "outcome", outcome);
	text = cJSON_PrintUnformatted(o);
	if (text != NULL && strlcpy(dst, text, METADATA_SIZE) < METADATA_SIZE)
		r = 0;
	cJSON_free(text);
	cJSON_Delete(o);
	return (r);
}

void
metadata_print(const struct access_row *a, char dst[METADATA_SIZE])
{
	size_t	len = strlen(a->outcome);

	while (print_some(a, len, dst) == -1) {
		if (len == 0) {
			strlcpy(dst, "{}", METADATA_SIZE);
			return;
		}
		len /= 2;
	}
}
