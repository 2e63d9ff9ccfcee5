/* SPDX-License-Identifier: ISC */
/*
 * What another member says of a session's services, by way of the store: what is
 * read of it can be said, and read again it is the same.
 */
#include <cjson/cJSON.h>

#include "authd/core/services.h"
#include "authd/msg/offers.h"
#include "base/index.h"
#include "fuzz.h"

static void
same(const struct services *t, const struct services *u)
{
	unsigned	i, n = 0;

	for (i = 0; i < t->n; i++) {
		if (t->v[i]->host[0] == '\0')
			continue;
		if (n == u->n || strcmp(t->v[i]->name, u->v[n]->name) != 0 ||
		    strcmp(t->v[i]->target, u->v[n]->target) != 0 ||
		    strcmp(t->v[i]->host, u->v[n]->host) != 0 ||
		    strcmp(t->v[i]->path, u->v[n]->path) != 0 ||
		    strcmp(t->v[i]->path_prefix, u->v[n]->path_prefix) != 0 ||
		    strcmp(t->v[i]->node_id, u->v[n]->node_id) != 0 ||
		    t->v[i]->tls != u->v[n]->tls)
			abort();
		n++;
	}
	if (n != u->n)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int	 begun;
	struct services	*t, *u;
	char		*text, *again;
	size_t		 len;

	if (!begun)
		index_init();
	begun = 1;
	/* Nothing behind it. */
	if ((text = malloc(size > 0 ? size : 1)) == NULL)
		return (0);
	if (size > 0)
		memcpy(text, data, size);
	t = offers_read(text, size, "system", "org");
	free(text);
	if (t == NULL)
		return (0);
	again = offers_print(t, &len);
	if (again == NULL || len != strlen(again))
		abort();
	if (len <= OFFERS_MAX) {
		if ((u = offers_read(again, len, "system", "org")) == NULL)
			abort();
		same(t, u);
		services_free(u);
	}
	cJSON_free(again);
	services_free(t);
	return (0);
}
