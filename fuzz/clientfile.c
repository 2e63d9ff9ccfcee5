/* SPDX-License-Identifier: ISC */
/* tunnel-client's configuration file: words and values lie in the text. */
#include "tunnel-client/conffile.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct conffile	 f;
	char		*text, *word, *value;
	const char	*why;
	unsigned	 line = 0;
	int		 r;

	if ((text = malloc(len + 1)) == NULL)
		return (0);
	memcpy(text, data, len);
	text[len] = '\0';
	conffile_begin(&f, text);
	while ((r = conffile_next(&f, &word, &value, &why)) == 1) {
		if (f.line <= line || word < text || *word == '\0' ||
		    strpbrk(word, " \t#=\"") != NULL)
			abort();
		if (value != NULL && (value <= word || value > text + len ||
		    strpbrk(value, "\r\n") != NULL))
			abort();
		line = f.line;
	}
	if (r == -1 && (why == NULL || *why == '\0'))
		abort();
	free(text);
	return (0);
}
