/* SPDX-License-Identifier: ISC */
/*
 * relayd.conf(5): any text is parsed or refused, and what is parsed can be
 * printed and parsed back to the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relayd/cfg.h"

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
ignore(void *arg, const char *text)
{
	(void)arg;
	if (strlen(text) == 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct conf	 c, back;
	char			*text = NULL;
	size_t			 text_len = 0;
	FILE			*f;

	if (cfg_parse_text(&c, "fuzz", (const char *)data, len, ignore, NULL) >
	    0)
		return (0);
	if ((f = open_memstream(&text, &text_len)) == NULL)
		return (0);
	cfg_print(&c, f);
	fclose(f);
	if (cfg_parse_text(&back, "printed", text, text_len, ignore, NULL) != 0
	    || memcmp(&c, &back, sizeof(c)) != 0)
		abort();
	free(text);
	return (0);
}
