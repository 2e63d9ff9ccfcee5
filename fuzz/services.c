/* SPDX-License-Identifier: ISC */
/*
 * What a user gives to tunnel-client: services, globs, durations, addresses.
 * The first line of the input is one, the second the other.
 */
#include "tunnel-client/client.h"
#include "tunnel-client/handshake.h"
#include "net/url.h"
#include "base/log.h"
#include "fuzz.h"

static void
address(const char *text, const char *node)
{
	struct url	u;
	char		target[URL_TARGET_MAX];

	if (url_parse(&u, text) != NULL)
		return;
	if (u.port == 0 || *u.host == '\0' || *u.path != '/')
		abort();
	if (url_target(&u, node, "0f", target, sizeof(target)) == 0 &&
	    strpbrk(target, " \r\n") != NULL)
		abort();
}

static void
services(const char *spec, const char *exclude)
{
	struct services	s = { NULL, 0, 0 };
	size_t		i;

	(void)services_parse(&s, spec, exclude);
	for (i = 0; i < s.n; i++)
		if (*s.v[i].name == '\0' || *s.v[i].target == '\0' ||
		    services_get(&s, s.v[i].name) != &s.v[i] ||
		    services_excluded(s.v[i].name, exclude))
			abort();
	services_clear(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int	 quiet;
	char		*text, *second;
	uint64_t	 ms;

	if (!quiet) {
		/* Not a descriptor: what is skipped is logged nowhere. */
		log_init("fuzz", 1 << 20, 0);
		quiet = 1;
	}
	if ((text = malloc(len + 1)) == NULL)
		return (0);
	memcpy(text, data, len);
	text[len] = '\0';
	second = text;
	(void)strsep(&second, "\n");
	if (second == NULL)
		second = text + strlen(text);
	services(text, second);
	address(text, second);
	(void)duration_parse(text, &ms);
	(void)retry_after_parse(text, strlen(text), 0);
	free(text);
	return (0);
}
