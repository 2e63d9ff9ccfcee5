/* SPDX-License-Identifier: ISC */
/*
 * Environments, a variable in each line. What is made of one has nothing in it
 * that the grammar does not know, and says nothing twice.
 */
#include <stdlib.h>
#include <string.h>

#include "relayd/cfg.h"
#include "relayd/envconf.h"
#include "fuzz.h"

#define ENTRIES	64

static int	said;

static void
say(void *arg, int error, const char *text)
{
	(void)arg;
	said += error && *text != '\0';
}

/* Values may be out of range for it; but no value makes words of its own. */
static void
judge(void *arg, int error, const char *text)
{
	static const char *const	never[] = { "syntax error", "unexpected",
	    "byte 0x", "this \"{\"", "not understood" };
	const char			*why = strstr(text, ": ");
	size_t				 i;

	(void)arg;
	if (!error)
		abort();	/* it defines no macro */
	for (i = 0; why != NULL && i < sizeof(never) / sizeof(never[0]); i++)
		if (strncmp(why + 2, never[i], strlen(never[i])) == 0)
			abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct envconf	at = { .state = "/s",
	    .runtime = "/r", .has_ipv6 = 1 };
	static struct conf		conf;
	char				*entries[ENTRIES + 1] = { NULL };
	char				*text, *rest, *made;
	size_t				 n = 0;

	if ((text = rest = malloc(len + 1)) == NULL)
		return (0);
	memcpy(text, data, len);
	text[len] = '\0';
	while (n < ENTRIES && (entries[n] = strsep(&rest, "\n")) != NULL)
		n++;
	said = 0;
	made = envconf_make((const char *const *)entries, &at, say, NULL);
	if ((made == NULL) != (said > 0))
		abort();
	if (made != NULL)
		(void)cfg_parse_text(&conf, "e", made, strlen(made), judge,
		    NULL);
	free(made);
	envconf_wipe(entries);
	free(text);
	return (0);
}
