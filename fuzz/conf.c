/* SPDX-License-Identifier: ISC */
/*
 * relayd.conf(5): any text is parsed or refused, and what is parsed can be
 * printed and parsed back to the same.
 */
#include <stdio.h>

#include "relayd/cfg.h"
#include "fuzz.h"

static void
ignore(void *arg, int error, const char *text)
{
	(void)arg;
	(void)error;
	if (strlen(text) == 0)
		abort();
}

/* Member by member: there is padding between them. */
static int
conf_same(const struct conf *a, const struct conf *b)
{
	unsigned	i;

#define X(member, def, min, max, unit, roles, keyword)			\
	if (a->member != b->member)					\
		return (0);
	CONF_NUMBERS(X)
#undef X
#define X(member, size, def, roles, keyword)				\
	if (strcmp(a->member, b->member) != 0)				\
		return (0);
	CONF_STRINGS(X)
#undef X
#define X(member, many, size, roles, keyword)				\
	if (a->n_##member != b->n_##member)				\
		return (0);						\
	for (i = 0; i < a->n_##member; i++)				\
		if (strcmp(a->member[i], b->member[i]) != 0)		\
			return (0);
	CONF_LISTS(X)
#undef X
	for (i = 0; i < a->n_listen; i++)
		if (strcmp(a->listen[i].address, b->listen[i].address) != 0 ||
		    a->listen[i].port != b->listen[i].port ||
		    a->listen[i].flags != b->listen[i].flags)
			return (0);
	return (a->n_listen == b->n_listen &&
	    a->max_tunnels_given == b->max_tunnels_given);
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
	if (fclose(f) == EOF)
		abort();
	if (cfg_parse_text(&back, "printed", text, text_len, ignore, NULL) != 0
	    || !conf_same(&c, &back))
		abort();
	free(text);
	return (0);
}
