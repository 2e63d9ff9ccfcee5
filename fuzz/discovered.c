/* SPDX-License-Identifier: ISC */
/*
 * What tunnel-client reads of the machine that it runs on: the routes of a
 * node, the configuration of a web server, and the document of a discovery.
 */
#include "tunnel-client/discovered.h"
#include "tunnel-client/survey.h"
#include "base/log.h"
#include "fuzz.h"

/* Whatever was said, what is announced is what a server would keep. */
static void
document(const char *text, size_t len)
{
	struct discovered	d = { 0 };
	size_t			i;

	if (discovered_read(&d, text, len) == 0)
		for (i = 0; i < d.services.n; i++)
			if (service_fault(&d.services.v[i]) != NULL)
				abort();
	discovered_clear(&d);
}

static void
routes(const char *text, size_t len, const char *address)
{
	cJSON	*top = cJSON_CreateObject(), *services;
	char	*out;

	services = cJSON_AddObjectToObject(top, "services");
	(void)routes_take(services, text, len, "1", address);
	if ((out = cJSON_PrintUnformatted(top)) != NULL)
		document(out, strlen(out));
	cJSON_free(out);
	cJSON_Delete(top);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static int	 quiet;
	char		*text;
	int		 port;

	if (!quiet) {
		/* Not a descriptor: what is skipped is logged nowhere. */
		log_init("fuzz", 1 << 20, 0);
		quiet = 1;
	}
	if ((text = malloc(len + 1)) == NULL)
		return (0);
	memcpy(text, data, len);
	text[len] = '\0';
	document(text, len);
	routes(text, len, NULL);
	routes(text, len, "10.0.0.1");
	if ((port = nethsec_port(text)) < 1 || port > 65535)
		abort();
	free(text);
	return (0);
}
