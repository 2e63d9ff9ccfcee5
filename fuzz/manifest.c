/* SPDX-License-Identifier: ISC */
/* The client's table of services: whatever is kept obeys every rule. */
#include "muxd/manifest.h"
#include "imsg/msg.h"
#include "base/target.h"
#include "fuzz.h"

static void
dropped(void *arg, const char *name, size_t len, const char *why)
{
	*(unsigned *)arg += 1;
	if (memchr(name, '\0', len) != NULL || why == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const struct service	*s;
	struct manifest		*m = NULL;
	const char		*why = NULL;
	unsigned		 i, n = 0;
	int			 r;

	r = manifest_parse((const char *)data, len, &m, dropped, &n, &why);
	if (r != 0) {
		if (m != NULL || (r == -1 && why == NULL))
			abort();
		return (0);
	}
	if (m->count > MANIFEST_SERVICES_MAX || m->dropped != n)
		abort();
	for (i = 0; i < m->count; i++) {
		s = &m->service[i];
		if (!target_service_ok(s->name, strlen(s->name)) ||
		    strcmp(s->name, "terminal") == 0 ||
		    target_parse(s->target, NULL) != TARGET_OK ||
		    strlen(s->target) >= TARGET_SIZE ||
		    strlen(s->host) >= HOST_SIZE ||
		    strpbrk(s->host, " \r\n/") != NULL ||
		    strlen(s->label) >= LABEL_SIZE ||
		    strlen(s->path) >= PATH_SIZE ||
		    strpbrk(s->path, " \r\n") != NULL ||
		    strlen(s->path_prefix) >= PATH_SIZE ||
		    strpbrk(s->path_prefix, " \r\n") != NULL ||
		    strlen(s->module_id) >= MODULE_SIZE ||
		    strlen(s->node_id) >= MODULE_SIZE)
			abort();
	}
	manifest_free(m);
	return (0);
}
